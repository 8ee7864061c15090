package codec_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"purofs/nodes/codec"
)

func TestWhole(t *testing.T) {
	tests := []struct {
		name   string
		writes []string
		want   list
	}{
		{"nothing", nil, nil},
		{"nothing written", []string{""}, nil},
		{"one write", []string{"a\nb\x00\xff"}, list{"a\nb\x00\xff"}},
		{"several", []string{"a\n", "", "b"}, list{"a\nb"}},
		{"at the limit", []string{"12345", "67890"}, list{"1234567890"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := codec.NewSplitter(codec.Raw, 10)
			carried := 0
			for _, data := range test.writes {
				if got, err := write(w, data); err != nil || len(got) > 0 {
					t.Fatalf("write %q: %q, %v", data, got, err)
				}
				if carried += len(data); w.Carried() != carried {
					t.Errorf("carries %d bytes, want %d", w.Carried(), carried)
				}
			}
			var got list
			ended, err := w.End(&got)
			if err != nil || ended != (len(test.want) > 0) || !slices.Equal(got, test.want) {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
			w.Drop()
			if w.Carried() != 0 {
				t.Errorf("carries %d bytes in the end", w.Carried())
			}
		})
	}
}

func TestWholeTooLong(t *testing.T) {
	w := codec.NewSplitter(codec.Raw, 10)
	if _, err := write(w, "12345"); err != nil {
		t.Fatal(err)
	}
	for _, data := range []string{"678901", "1"} { // and no part of it passes for the record
		if _, err := write(w, data); !errors.Is(err, codec.ErrTooLong) {
			t.Fatalf("write %q: got %v, want ErrTooLong", data, err)
		}
	}
	var got list
	if ended, err := w.End(&got); ended || err != nil || len(got) > 0 {
		t.Fatalf("End added %q, %v", got, err)
	}
	if _, err := write(w, "new"); err != nil {
		t.Errorf("the next record: %v", err)
	}
}

func TestWholeForgetsAWriteThatIsNotKept(t *testing.T) {
	w := codec.NewSplitter(codec.Raw, 10)
	if _, err := write(w, "begun "); err != nil {
		t.Fatal(err)
	}
	if err := w.Split([]byte("lost"), nil); err != nil || w.Pending() != 10 || w.Carried() != 6 {
		t.Fatalf("%v, carries %d, then %d", err, w.Carried(), w.Pending())
	}
	got, err := writeCut(w, []byte("kept"), nil)
	if err != nil || strings.Join(got, ",") != "begun kept" {
		t.Errorf("got %q, %v", got, err)
	}
}
