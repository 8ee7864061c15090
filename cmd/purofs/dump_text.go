package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"slices"

	"purofs/engine"
)

// A dumpText prints a dump for people: a line for each thing, its byte position in front.
type dumpText struct {
	out  *bufio.Writer
	full bool
}

func (d *dumpText) segment(path string, size int64) error {
	_, err := fmt.Fprintf(d.out, "%s  %d bytes\n", printable(path), size)
	return err
}

func (d *dumpText) piece(p *engine.Piece) error {
	fmt.Fprintf(d.out, "%10d  %-9s  %d bytes", p.Pos, p.Kind, p.End-p.Pos)
	if p.HasHeader {
		crc := "ok"
		if !p.Header.CRCOK {
			crc = "WRONG"
		}
		fmt.Fprintf(d.out, "  %s  crc %08x %s", dumpTime(p.Header.Time), p.Header.CRC, crc)
		if p.Header.Sparse {
			d.out.WriteString("  sparse")
		}
		records := uint64(0)
		for _, run := range p.Header.Runs {
			records += run.Records
		}
		fmt.Fprintf(d.out, "  topics %d  records %d", len(p.Header.Runs), records)
	} else if p.Kind == engine.PieceBlock {
		d.out.WriteString("  no header")
	}
	if p.Reason != "" {
		fmt.Fprintf(d.out, "  (%s)", p.Reason)
	}
	return d.out.WriteByte('\n')
}

func (d *dumpText) record(r *engine.PieceRecord) error {
	fmt.Fprintf(d.out, "%10d    ", r.Pos)
	d.describe(r)
	if !r.Check {
		d.out.WriteString("  CHECK WRONG")
	}
	return d.out.WriteByte('\n')
}

func (d *dumpText) describe(r *engine.PieceRecord) {
	switch {
	case r.Control < 0:
		offset := "?"
		if r.Offset >= 0 {
			offset = fmt.Sprint(r.Offset)
		}
		fmt.Fprintf(d.out, "%s %s", printable(string(r.Topic)), offset)
		if len(r.Key) > 0 {
			fmt.Fprintf(d.out, "  key %s", d.quote(r.Key))
		}
		fmt.Fprintf(d.out, "  %s", d.quote(r.Value))
	case r.Segment != nil:
		s := r.Segment
		fmt.Fprintf(d.out, "segment %d of store %x  %s  topics %d", s.Order, s.StoreID,
			dumpTime(s.Time), len(s.Topics))
		if d.full {
			for _, t := range s.Topics {
				fmt.Fprintf(d.out, "\n%16s%s next %d text %d mode %04o owner %d:%d", "",
					printable(t.Name), t.Next, t.NextText, t.Mode, t.UID, t.GID)
			}
		}
	case r.Change != nil && r.Change.Delete:
		fmt.Fprintf(d.out, "delete topic %s", printable(r.Change.Name))
	case r.Change != nil:
		t := r.Change
		fmt.Fprintf(d.out, "set topic %s  mode %04o owner %d:%d", printable(t.Name), t.Attr.Mode,
			t.Attr.UID, t.Attr.GID)
	default:
		d.out.WriteString(controlName(r.Control))
		if r.Lost != "" {
			fmt.Fprintf(d.out, "  kept in %s", printable(r.Lost))
		} else if len(r.Value) > 0 {
			fmt.Fprintf(d.out, "  %s", d.quote(r.Value))
		}
	}
}

// controlNames are those of control records, by kind.
var controlNames = []string{
	0: "tombstone", 2: "start", 3: "end", 4: "header", 5: "magic", 6: "segment", 7: "topic", 8: "lost",
}

func controlName(kind int) string {
	if kind < len(controlNames) && controlNames[kind] != "" {
		return controlNames[kind]
	}
	return fmt.Sprintf("control 0x%02x", kind)
}

// dumpValueBytesMax is how much of a key or a value is shown without --full.
const dumpValueBytesMax = 64

func (d *dumpText) quote(b []byte) string {
	if d.full || len(b) <= dumpValueBytesMax {
		return fmt.Sprintf("%q", b)
	}
	return fmt.Sprintf("%q… %d bytes", b[:dumpValueBytesMax], len(b))
}

func (d *dumpText) noRecord(at, end int64, why error) error {
	_, err := fmt.Fprintf(d.out, "%10d    no record: %v\n", at, why)
	return err
}

func (d *dumpText) bytes(at int64, b []byte) error {
	for line := range slices.Chunk(b, 16) {
		text := make([]byte, len(line))
		for i, c := range line {
			if text[i] = c; c < ' ' || c > '~' {
				text[i] = '.'
			}
		}
		_, err := fmt.Fprintf(d.out, "%10d    %-32s  %s\n", at, hex.EncodeToString(line), text)
		if err != nil {
			return err
		}
		at += int64(len(line))
	}
	return nil
}
