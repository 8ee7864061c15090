package faults_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"purofs/engine/faults"
	"purofs/engine/format"
	"purofs/engine/segment"
)

// checkRaised looks at the segments that a power cut leaves of a store in mode flip, before a log
// is opened on them: a raised signal vouches for its block. Without that the log would find out by
// itself, by the block's CRC-32C, and remove the block. But Puro only goes by the signal, and this
// log shows such a block as damage if it may not change anything, or if the checkpoint is lost.
func checkRaised(image faults.Image) error {
	for _, name := range image.Names() {
		if !strings.HasPrefix(name, "stream") {
			continue
		}
		b := image.File(name)
		scan := segment.NewScannerOf(bytes.NewReader(b), 0, 0, segment.NoLimit)
		scan.Full = true
		var err error
		for err == nil {
			_, err = scan.Next()
		}
		at := max(scan.Pos(), scan.Start())
		scan.Release()
		if errors.Is(err, io.EOF) {
			continue
		}
		if start, no := format.ParseStart(b[min(at, int64(len(b))):]); no == nil && start.High {
			return fmt.Errorf("%s: a signal is raised over what is no block: %w", name, err)
		}
	}
	return nil
}
