package codec_test

import (
	"fmt"

	"purofs/nodes/codec"
)

// A printer is a Sink that prints.
type printer struct{}

func (printer) Add(_, head, tail []byte) { fmt.Printf("record %q\n", string(head)+string(tail)) }

func ExampleLines() {
	lines := codec.NewLines(1 << 20)
	for _, data := range []string{"one\ntw", "o\nthree"} {
		if err := lines.Split([]byte(data), printer{}); err != nil {
			fmt.Println(err)
			return
		}
		lines.Keep() // what Split found is stored
	}
	lines.End(printer{}) // the file is closed
	// Output:
	// record "one"
	// record "two"
	// record "three"
}

func ExampleCopyLine() {
	reply := make([]byte, 4)
	n := codec.CopyLine(reply, []byte("value"), 2)
	fmt.Printf("%q\n", reply[:n])
	// Output: "lue\n"
}
