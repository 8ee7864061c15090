package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"purofs/engine"
)

// A dumpCommand shows what stands in segment files, byte position by byte position.
type dumpCommand struct {
	env     *environment
	from    int64
	blocks  bool // leave out the records
	records bool // leave out all but the records of topics
	json    bool
	full    bool
	hex     bool

	out     dumpPrinter
	damaged bool
}

// A dumpPrinter writes what a dump finds.
type dumpPrinter interface {
	segment(path string, size int64) error
	piece(p *engine.Piece) error
	record(r *engine.PieceRecord) error
	// noRecord tells of bytes inside a block that are no record.
	noRecord(at, end int64, why error) error
	bytes(at int64, b []byte) error
}

func newDumpCommand(env *environment) *cobra.Command {
	c := &dumpCommand{env: env}
	cmd := &cobra.Command{
		Use:     "dump SEGMENT-FILE|STORE",
		GroupID: groupStore,
		Short:   "Show the blocks and records of segment files",
		Long: `Dump shows what stands in a segment file, or in all of a store, and where: blocks with
their header and CRC-32C, control records, and records with their offset, key and value. It needs no
store: any copy of a segment will do, one that Puro wrote, and what repairs kept in lost/.

Where bytes are not sound it says why, shows which records can still be made out of them, each
with its own check, and goes on at the next sound block; then the exit status is 3. With --hex
it shows the bytes too.

Positions are bytes of the file. Keys and values are quoted, and cut off after 64 bytes unless
--full is given. With --json each thing is an object on a line of its own; bytes that are not
UTF-8 are in a member whose name ends with _base64.

It takes no lock and changes nothing.`,
		Example: `  purofs dump /srv/events/stream3.puro
  purofs dump /srv/events --blocks
  purofs dump /srv/events/stream3.puro --from-pos 1048576 --hex
  purofs dump --json --full /srv/events/lost/stream3.puro-1048576.0 | jq .value`,
		Args:              arguments("SEGMENT-FILE or STORE"),
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Run(cmd.Context(), args[0])
		},
	}
	flags := cmd.Flags()
	flags.Int64Var(&c.from, "from-pos", 0, "begin at byte `POSITION` of the file")
	flags.BoolVar(&c.blocks, "blocks", false, "only blocks, without what is in them")
	flags.BoolVar(&c.records, "records", false, "only the records of topics")
	flags.BoolVar(&c.json, "json", false, "print JSON, one object a line")
	flags.BoolVar(&c.full, "full", false, "keys, values and bytes as long as they are")
	flags.BoolVar(&c.hex, "hex", false, "show the bytes of what is not sound")
	return cmd
}

// Run dumps.
func (c *dumpCommand) Run(ctx context.Context, path string) error {
	switch {
	case c.from < 0:
		return usageErrorf("--from-pos: %d is before the beginning", c.from)
	case c.blocks && c.records:
		return usageErrorf("--blocks and --records leave nothing to show; use one of them")
	}
	files, err := c.segments(path)
	if err != nil {
		return hintMissingStore(fmt.Errorf("dump: %w", err))
	}
	out := bufio.NewWriterSize(c.env.out, catBufferBytes)
	if c.json {
		c.out = newDumpJSON(out, c.full)
	} else {
		c.out = &dumpText{out: out, full: c.full}
	}
	for _, file := range files {
		if err := c.file(ctx, file); err != nil {
			return cmp.Or(outputError(out.Flush()), fmt.Errorf("dump %s: %w", file, err))
		}
	}
	if err := out.Flush(); err != nil {
		return outputError(err)
	}
	if c.damaged {
		return errDamageFound
	}
	return nil
}

// segments returns the files to dump.
func (c *dumpCommand) segments(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	names, err := engine.SegmentFiles(path)
	if err != nil {
		return nil, err
	}
	if len(names) > 1 && c.from > 0 {
		return nil, usageErrorf("--from-pos needs one of the %d segment files", len(names))
	}
	for i, name := range names {
		names[i] = filepath.Join(path, name)
	}
	return names, nil
}

// file dumps one file.
func (c *dumpCommand) file(ctx context.Context, path string) error {
	in, err := engine.Inspect(path, c.from)
	if err != nil {
		return err
	}
	defer in.Close()
	if info, err := os.Stat(path); err == nil {
		if err := c.out.segment(path, info.Size()); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		piece, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.piece(piece); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// piece dumps one piece of a file.
func (c *dumpCommand) piece(p *engine.Piece) error {
	c.damaged = c.damaged || p.Kind == engine.PieceUnsound
	if !c.records || p.Kind == engine.PieceUnsound {
		if err := c.out.piece(p); err != nil {
			return err
		}
	}
	if !c.blocks {
		if err := c.recordsOf(p); err != nil {
			return err
		}
	}
	if c.hex && p.Reason != "" {
		return c.bytesOf(p)
	}
	return nil
}

func (c *dumpCommand) recordsOf(p *engine.Piece) error {
	for record, err := range p.Records() {
		switch {
		case err != nil && !engine.IsNoRecord(err):
			return err
		case err != nil && c.records:
			return nil
		case err != nil:
			return c.out.noRecord(record.Pos, record.End, err)
		case c.records && record.Control >= 0:
			continue
		}
		if err := c.out.record(&record); err != nil {
			return err
		}
	}
	return nil
}

// dumpHexBytesMax is how much of an unsound piece is shown without --full.
const dumpHexBytesMax = 512

func (c *dumpCommand) bytesOf(p *engine.Piece) error {
	left := p.End - p.Pos
	if !c.full {
		left = min(left, dumpHexBytesMax)
	}
	in := io.NewSectionReader(p, 0, left)
	b := make([]byte, 16<<10)
	for at := p.Pos; ; {
		n, err := io.ReadFull(in, b)
		if n > 0 {
			if err := c.out.bytes(at, b[:n]); err != nil {
				return err
			}
			at += int64(n)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// completeFiles completes the argument as a file or directory.
func completeFiles(
	_ *cobra.Command, args []string, _ string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}
