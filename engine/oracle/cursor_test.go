package oracle_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"purofs/engine/oracle"
)

// A cursor that stands where its book has it is found to be well, and one that does not is told of.
func TestCheckCursor(t *testing.T) {
	const position, records = 5, 8
	tests := []struct {
		name        string
		made        bool
		least, most uint64
		ruin        func(file string) error
		says        string // "" if it is well
	}{
		{"where it was put", true, 5, 5, nil, ""},
		{"on its way", true, 3, 6, nil, ""},
		{"put back", true, 6, 7, nil, "6 was promised"},
		{"ahead", true, 2, 4, nil, "skipped records"},
		{"gone", true, 0, 0, os.Remove, "no such cursor"},
		{"gone before its making was acknowledged", false, 0, 0, os.Remove, ""},
		{"unreadable", true, 5, 5, empty, "damaged"},
		{"unreadable when it is made", false, 0, 0, empty, "damaged"},
		{"unreadable within two moves", true, 3, 5, empty, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			for range records {
				if err := put(b.log, "t", "k", "value"); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.log.CreateCursor(t.Context(), "t", "c"); err != nil {
				t.Fatal(err)
			}
			b.moveCursor(position)
			if tt.ruin != nil {
				if err := tt.ruin(filepath.Join(b.store, "cursors", "t", "c")); err != nil {
					t.Fatal(err)
				}
			}
			book := oracle.CursorBook{Topic: "t", Name: "c", Made: tt.made}
			book.Kept(tt.least)
			book.Moving(tt.most)
			b.wantCursor(book, tt.says)
		})
	}
}

func empty(file string) error { return os.Truncate(file, 0) }

func (b *bench) moveCursor(next uint64) {
	b.Helper()
	cursor, err := b.log.OpenCursor("t", "c")
	if err != nil {
		b.Fatal(err)
	}
	defer cursor.Close()
	if err := cursor.Commit(next); err != nil {
		b.Fatal(err)
	}
}

// wantCursor checks what a check of the cursor says.
func (b *bench) wantCursor(book oracle.CursorBook, says string) {
	b.Helper()
	err := oracle.CheckCursor(context.Background(), b.log, book)
	switch {
	case err == nil && says != "":
		b.Errorf("found to be well, want %q", says)
	case err != nil && (says == "" || !strings.Contains(err.Error(), says)):
		b.Errorf("got %v, want %q", err, says)
	}
}
