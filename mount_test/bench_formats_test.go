package mount_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkMountFormats reads a topic in each format, 128 KiB a call, and writes it again, 1 MiB a
// call. A record has a key of six bytes and a value of a hundred.
func BenchmarkMountFormats(b *testing.B) {
	dir := openPurofsSide(b)
	line := "key-17\t" + strings.Repeat("v", 100) + "\n"
	text := []byte(strings.Repeat(line, (32<<20)/len(line)))
	if err := os.WriteFile(filepath.Join(dir, "append.tsv"), text, 0); err != nil {
		b.Fatal(err)
	}
	for _, suffix := range []string{"", ".jsonl", ".tsv"} {
		text, err := os.ReadFile(filepath.Join(dir, "log"+suffix))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("read log%s", suffix), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				benchReadFile(b, filepath.Join(dir, "log"+suffix), len(text))
			}
		})
		b.Run(fmt.Sprintf("write append%s", suffix), func(b *testing.B) {
			copies := anotherTopic(b, dir)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				benchWriteFile(b, filepath.Join(copies, "append"+suffix), text)
			}
		})
	}
}

func benchReadFile(b *testing.B, path string, want int) {
	b.Helper()
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	buf, got := make([]byte, 128<<10), 0
	for {
		n, err := file.Read(buf)
		got += n
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if got != want {
		b.Fatalf("%s has %d bytes, want %d", path, got, want)
	}
}

func benchWriteFile(b *testing.B, path string, text []byte) {
	b.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	for len(text) > 0 {
		n, err := file.Write(text[:min(len(text), 1<<20)])
		if err != nil {
			b.Fatal(err)
		}
		text = text[n:]
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
}
