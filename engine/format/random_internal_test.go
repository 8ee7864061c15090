package format

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 takes a new one each time")

// NewRand returns a source whose seed is printed when the test fails; -seed runs it again.
func NewRand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("run it again with: go test -run '^%s$' ./engine/format -args -seed=%d", t.Name(), seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// RandomBytes returns n bytes that may have any value.
func RandomBytes(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}
