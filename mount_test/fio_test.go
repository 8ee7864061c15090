package mount_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"purofs/engine/oracle"
)

// fioWrites are the ways in which fio(1) writes, each to a topic of its own.
var fioWrites = []string{"psync", "sync", "pvsync2", "libaio", "io_uring", "splice"}

// fioReads are the ways in which it reads.
var fioReads = []struct {
	engine, direct string
}{
	{"psync", "0"}, {"psync", "1"}, {"pvsync2", "0"}, {"libaio", "0"}, {"libaio", "1"},
	{"io_uring", "1"}, {"splice", "0"}, {"mmap", "0"},
}

// T17: blocks with a CRC-32C each, of any bytes, that fio writes to append in every way that it
// knows, all at once, are those that it finds in log, in whatever way it reads.
func TestFio(t *testing.T) {
	needTool(t, "fio")
	run := oracle.Start(t, "T17")
	modes := []string{"none", "interval", "always", "flip"}
	duration := time.Duration(oracle.Size(0, 30)) * time.Minute
	for begun := time.Now(); ; {
		f := fio{
			mount:     mountStore(t, "segment_size=16M", "sync="+modes[run.Rand.IntN(len(modes))]),
			blockSize: []int{512, 1 << 10, 4 << 10}[run.Rand.IntN(3)],
			size:      4<<20 + run.Rand.IntN(oracle.Size(8, 64)<<20),
			seed:      run.Rand.Uint32(),
		}
		f.round(run)
		f.unmount()
		if err := os.RemoveAll(f.store); err != nil {
			t.Fatal(err)
		}
		if t.Failed() || time.Since(begun) >= duration {
			return
		}
	}
}

// fio has fio write a number of bytes to each topic, and read them.
type fio struct {
	*mount
	blockSize int // of the smallest block
	size      int
	seed      uint32
}

// fioBlockMax is the size of the largest block.
const fioBlockMax = 256 << 10

func (f *fio) round(run *oracle.Run) {
	f.Helper()
	for _, engine := range fioWrites {
		f.mkdir(engine)
	}
	f.run("--rw=write --file_append=1 --do_verify=0", func(engine string) string {
		return fmt.Sprintf("--filename=%s/append --size=%d --ioengine=%s", engine, f.size, engine)
	})
	sizes := make(map[string]int64)
	for _, topic := range fioWrites {
		info, err := os.Stat(f.path(topic + "/log"))
		if err != nil {
			f.Fatal(err)
		}
		// A block that would be too much is left out, and the last line gets a newline.
		size := info.Size()
		if size <= int64(f.size-fioBlockMax) || size > int64(f.size+1) {
			f.Fatalf("%s has %d bytes, want %d, or a block less", topic, size, f.size)
		}
		sizes[topic] = size
		run.Count("bytes", int(size))
	}
	for _, way := range fioReads {
		if way.engine == "mmap" && f.blockSize < os.Getpagesize() {
			continue // fio maps pages
		}
		f.run("--rw=read --direct="+way.direct, func(topic string) string {
			return fmt.Sprintf("--filename=%s/log --size=%d --ioengine=%s", topic, sizes[topic], way.engine)
		})
		run.Count("readings", len(fioWrites))
	}
	f.verify()
}

// run runs fio, with a job for each topic. The jobs have the same blocks each time, since their
// random numbers begin with the same seed.
func (f *fio) run(options string, of func(topic string) string) {
	f.Helper()
	script := []string{fmt.Sprintf("fio --minimal --bsrange=%d-%d --randseed=%d --iodepth=4 %s "+
		"--verify=crc32c --verify_fatal=1 --verify_state_save=0 --fallocate=none --overwrite=1 "+
		"--allow_file_create=0", f.blockSize, fioBlockMax, f.seed, options)}
	for _, topic := range fioWrites {
		script = append(script, fmt.Sprintf("--name=%s %s", topic, of(topic)))
	}
	f.sh(strings.Join(script, " \\\n\t"))
}
