package segment_test

import (
	"bytes"
	"fmt"
	"testing"
)

// The disk is full after each number of bytes of a block: the file ends where it ended before, and
// once there is room the same block can be appended.
func TestAppendWithoutRoom(t *testing.T) {
	sound := image(block(1, "t", "a"))
	whole := block(1, "orders", "a value that does not fit")
	for _, how := range []string{"joined", "pieces"} {
		for room := range len(whole) {
			if room%5 > 1 && room < len(whole)-2 {
				continue // a process each: two of five are enough
			}
			t.Run(fmt.Sprintf("%s/%d bytes", how, room), func(t *testing.T) {
				dir, _ := openImage(t, sound)
				c := startChild(t, "limit", dir.Path(), fmt.Sprint(room), how)
				c.expect(t, "true 0") // an error, and not a byte more than before
				if err := c.Wait(); err != nil {
					t.Fatalf("appending where there is room again: %v", err)
				}
				if got := contents(t, dir); !bytes.Equal(got, join(sound, whole)) {
					t.Errorf("got a file of %d bytes, want %d", len(got), len(sound)+len(whole))
				}
			})
		}
	}
}
