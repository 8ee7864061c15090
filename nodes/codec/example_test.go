package codec_test

import (
	"errors"
	"fmt"
	"time"

	"purofs/nodes/codec"
)

// A printer is a Sink that prints.
type printer struct{}

func (printer) Add(key, head, tail []byte) {
	fmt.Printf("key %q, value %q\n", key, string(head)+string(tail))
}

func ExampleLines() {
	lines := codec.NewLines(1 << 20)
	for _, data := range []string{"one\ntw", "o\nthree"} {
		if err := lines.Split([]byte(data), printer{}); err != nil {
			fmt.Println(err)
			return
		}
		lines.Keep() // what Split found is stored
	}
	if _, err := lines.End(printer{}); err != nil { // the file is closed
		fmt.Println(err)
	}
	// Output:
	// key "", value "one"
	// key "", value "two"
	// key "", value "three"
}

func ExampleWhole() {
	whole := codec.NewSplitter(codec.Raw, 1<<20)
	for _, data := range []string{"any\n", "bytes\x00"} {
		if err := whole.Split([]byte(data), printer{}); err != nil {
			fmt.Println(err)
			return
		}
		whole.Keep()
	}
	if _, err := whole.End(printer{}); err != nil { // the file is closed
		fmt.Println(err)
	}
	// Output: key "", value "any\nbytes\x00"
}

func ExampleNewSplitter() {
	lines := codec.NewSplitter(codec.JSONL, 1<<20)
	for _, data := range []string{
		`{"key":"a","value":"one"}` + "\n",
		`{"key":"b","value":{"n": 1}}` + "\n" + `{"value_base64":"//4="}` + "\n",
	} {
		if err := lines.Split([]byte(data), printer{}); err != nil {
			fmt.Println(err)
			return
		}
		lines.Keep()
	}
	// Output:
	// key "a", value "one"
	// key "b", value "{\"n\":1}"
	// key "", value "\xff\xfe"
}

func ExampleLineError() {
	lines := codec.NewSplitter(codec.TSV, 1<<20)
	err := lines.Split([]byte("key\tvalue\nnothing\n"), printer{})
	fmt.Println(err, errors.Is(err, codec.ErrSyntax))
	// Output:
	// key "key", value "value"
	// line 2: no TAB between key and value (a record without a key begins with one) true
}

func ExampleCutSuffix() {
	stem, format := codec.CutSuffix("log.jsonl")
	fmt.Println(stem, format == codec.JSONL, format.Suffix())
	// Output: log true .jsonl
}

func ExampleText() {
	text := codec.NewText(codec.JSONL)
	text.Set(42, time.Unix(1763800000, 0), []byte("key"), []byte("a \"value\""))
	reply := make([]byte, 60)
	n := text.Copy(reply, 0)
	fmt.Printf("%s\n", reply[:n])
	n = text.Copy(reply, uint64(n)) // the rest
	fmt.Printf("%s", reply[:n])
	// Output:
	// {"offset":42,"time":"2025-11-22T08:26:40.000000000Z","key":"
	// key","value":"a \"value\""}
}

func ExampleCopyLine() {
	reply := make([]byte, 4)
	n := codec.CopyLine(reply, []byte("value"), 2)
	fmt.Printf("%q\n", reply[:n])
	// Output: "lue\n"
}
