package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"purofs/engine"
	"purofs/nodes/codec"
)

// appendReadBytes is the most that is read at once, and so the most that becomes one block, apart
// from a longer line.
const appendReadBytes = 1 << 20

// An appendCommand makes records of the lines of standard input.
type appendCommand struct {
	env     *environment
	options []string
}

func newAppendCommand(env *environment) *cobra.Command {
	c := &appendCommand{env: env}
	cmd := &cobra.Command{
		Use:     "append STORE TOPIC",
		GroupID: groupStore,
		Short:   "Make records of the lines of the input",
		Long: `Append makes every line of standard input a record of TOPIC. A store that does not exist is
made, and a topic by its first record. Lines that arrive together become visible together, as one
block of up to 1 MiB, and a line that comes alone is a record at once. The end of the input ends
an unfinished line.

Exit status 0 says that all of the input is stored and, unless sync=none, on the disk.

Options, separated by commas (SIZE: bytes, or with k, M, G, T; TIME: 500ms, 5s, 1m):
` + optionHelp(storeOptions),
		Example: `  echo 'two coffees' | purofs append /srv/events orders
  journalctl -f -o json | purofs append /srv/events journal
  purofs append -o sync=always /srv/events orders < orders.txt`,
		Args:              arguments("STORE", "TOPIC"),
		ValidArgsFunction: completeTopic,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Run(cmd.Context(), args[0], args[1])
		},
	}
	cmd.Flags().StringArrayVarP(&c.options, "option", "o", nil,
		"`OPTIONS` of the store, separated by commas")
	_ = cmd.RegisterFlagCompletionFunc("option", completeOptions(storeOptions))
	return cmd
}

// Run appends until the end of the input.
func (c *appendCommand) Run(ctx context.Context, store, topic string) error {
	options, err := parseStoreOptions(c.options)
	if err != nil {
		return err
	}
	if options, err = c.env.engineOptions(options); err != nil {
		return err
	}
	if err := engine.CheckTopicName(topic); err != nil {
		return err
	}
	log, err := engine.Open(ctx, store, options)
	if err != nil {
		return err
	}
	lines := newLineAppender(log, topic, options)
	err = lines.appendAll(ctx, c.env.in)
	if err == nil && options.Sync != engine.SyncNone {
		err = log.Sync(ctx)
	}
	if closeErr := log.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("append to %q in %s, after %d records: %w", topic, store, lines.stored, err)
	}
	return nil
}

// A lineAppender appends lines to a topic. It is the sink that its splitter fills.
type lineAppender struct {
	log    *engine.Log
	topic  string
	lines  *codec.Lines
	batch  engine.Batch
	stored int // records
}

func newLineAppender(log *engine.Log, topic string, options engine.Options) *lineAppender {
	limit := options.ValueBytes
	if limit == 0 {
		limit = engine.ValueBytesDefault
	}
	return &lineAppender{log: log, topic: topic, lines: codec.NewLines(limit)}
}

// Add implements codec.Sink.
func (a *lineAppender) Add(key, head, tail []byte) { a.batch.Add(a.topic, key, head, tail) }

// appendAll appends what each read from in brings as a block of its own: a line that comes alone
// from a slow pipe is not held back, and a fast one fills large blocks.
func (a *lineAppender) appendAll(ctx context.Context, in io.Reader) error {
	buffer := make([]byte, appendReadBytes)
	for {
		n, readErr := in.Read(buffer)
		if err := a.lines.Split(buffer[:n], a); err != nil {
			return err
		}
		a.lines.Keep()
		ended := errors.Is(readErr, io.EOF)
		if ended {
			a.lines.End(a)
		}
		if err := a.flush(ctx); err != nil {
			return err
		}
		switch {
		case ended:
			return nil
		case readErr != nil:
			return fmt.Errorf("read the input: %w", readErr)
		}
	}
}

// flush appends the records that were added since the last flush.
func (a *lineAppender) flush(ctx context.Context) error {
	if a.batch.Len() == 0 {
		return nil
	}
	if err := a.log.Append(ctx, &a.batch); err != nil {
		return err
	}
	a.stored += a.batch.Len()
	a.batch.Reset()
	return nil
}
