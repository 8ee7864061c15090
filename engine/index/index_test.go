package index_test

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"purofs/engine/index"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 takes a new one each time")

// newRand returns a source whose seed is printed when the test fails; -seed runs it again.
func newRand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("run it again with: go test -run '^%s$' ./engine/index -args -seed=%d", t.Name(), seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// A part is what one topic has in one block, as Add takes it.
type part struct {
	topic     string
	pos, end  int64
	at, after index.Point
}

// layOut makes a segment of random blocks from a place on: each of one to three of the topics, some
// of which are rare, with gaps where blocks of nobody stand.
func layOut(rnd *rand.Rand, from int64, blocks, topics int) (parts []part, to int64) {
	points := make(map[string]index.Point)
	pos := from
	for range blocks {
		if rnd.IntN(10) == 0 {
			pos += rnd.Int64N(100_000)
		}
		end := pos + 30 + rnd.Int64N(3000)
		taken := map[string]bool{}
		for range 1 + rnd.IntN(3) {
			name := fmt.Sprintf("topic.%d", int(float64(topics)*rnd.Float64()*rnd.Float64()))
			if taken[name] {
				continue
			}
			taken[name] = true
			at := points[name]
			after := index.Point{
				Offset: at.Offset + 1 + rnd.Uint64N(1000), Text: at.Text + rnd.Uint64N(1<<20)}
			points[name] = after
			parts = append(parts, part{name, pos, end, at, after})
		}
		pos = end
	}
	return parts, pos
}

// extents reads a list to its end.
func extents(t testing.TB, l index.List) (all []index.Extent) {
	t.Helper()
	for {
		e, err := l.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
}

// Whatever the blocks are: each lies in one extent of its topics, at whose beginning a block of the
// topic begins, with its point; between two extents there is none; a sealed chunk says what its
// builder did; and it says nothing of topics that it does not have.
func TestChunkSaysWhereTheBlocksAre(t *testing.T) {
	rnd := newRand(t)
	for range 50 {
		from := rnd.Int64N(1 << 40)
		parts, to := layOut(rnd, from, 1+rnd.IntN(2000), 1+rnd.IntN(50))
		b := index.NewBuilder(from)
		byTopic := make(map[string][]part)
		for _, p := range parts {
			b.Add([]byte(p.topic), p.pos, p.end, p.at, p.after)
			byTopic[p.topic] = append(byTopic[p.topic], p)
		}
		sealed := b.Seal(index.Header{From: from, To: to})
		c, err := index.ParseChunk(sealed.Bytes())
		if err != nil || c.Header != sealed.Header {
			t.Fatalf("got %+v, %v, want %+v", c, err, sealed.Header)
		}
		for topic, parts := range byTopic {
			list, found, err := c.Find(topic)
			building, foundBuilding := b.List(topic)
			if !found || !foundBuilding || err != nil {
				t.Fatalf("%s: got %t, %t, %v", topic, found, foundBuilding, err)
			}
			first, after := parts[0].at, parts[len(parts)-1].after
			if list.First != first || list.After != after || building.First != first ||
				building.After != after {
				t.Fatalf("%s: got %+v, %+v, want %+v to %+v", topic, list, building, first, after)
			}
			all := extents(t, list)
			if fmt.Sprint(all) != fmt.Sprint(extents(t, building)) {
				t.Fatalf("%s: the sealed chunk and its builder differ", topic)
			}
			requireExtents(t, all, parts)
		}
		for _, other := range []string{"", "a", "topic.", "topic.99", "z"} {
			if _, found, err := c.Find(other); found != (byTopic[other] != nil) || err != nil {
				t.Errorf("%q: got %t, %v", other, found, err)
			}
		}
	}
}

func requireExtents(t *testing.T, all []index.Extent, parts []part) {
	t.Helper()
	const gapMax, extentMax = 4 << 10, 64<<10 + 3030
	for _, e := range all {
		if len(parts) == 0 || parts[0].pos != e.Pos || parts[0].at != e.At {
			t.Fatalf("%s: extent %+v does not begin with a block", parts[0].topic, e)
		}
		last := e.Pos
		for len(parts) > 0 && parts[0].end <= e.End {
			if parts[0].pos-last > gapMax {
				t.Fatalf("%s: extent %+v has a gap", parts[0].topic, e)
			}
			last, parts = parts[0].end, parts[1:]
		}
		if last != e.End || e.End-e.Pos > extentMax {
			t.Fatalf("extent %+v is too long", e)
		}
	}
	if len(parts) > 0 {
		t.Fatalf("%s: no extent has the block at %d", parts[0].topic, parts[0].pos)
	}
}

// A list that was taken while the chunk is built does not change.
func TestListOfABuilderStays(t *testing.T) {
	b := index.NewBuilder(0)
	for i := range 1000 {
		pos := int64(i) * 10_000
		at, after := index.Point{Offset: uint64(i)}, index.Point{Offset: uint64(i + 1)}
		b.Add([]byte("t"), pos, pos+100, at, after)
		list, _ := b.List("t")
		b.Add([]byte("t"), pos+200, pos+300, at, after)
		if n := len(extents(t, list)); n != i+1 {
			t.Fatalf("got %d extents, want %d", n, i+1)
		}
	}
}

func exampleChunk() *index.Chunk {
	b := index.NewBuilder(9)
	b.Add([]byte("orders"), 9, 109, index.Point{}, index.Point{Offset: 1, Text: 12})
	b.Add([]byte("events"), 109, 20_109, index.Point{Offset: 300, Text: 4000},
		index.Point{Offset: 500, Text: 6000})
	b.Add([]byte("orders"), 20_109, 20_209, index.Point{Offset: 1, Text: 12},
		index.Point{Offset: 2, Text: 24})
	return b.Seal(index.Header{
		Order: 7, Last: true, From: 9, To: 20_209, Time: 1, LastTime: 1 << 60,
		Head: index.Proof([]byte("head")), Tail: index.Proof([]byte("tail")),
	})
}

// The bytes on the disk are these, and stay so.
func TestGoldenChunk(t *testing.T) {
	want := strings.Join([]string{
		"7075726f69647831", "00000007", "00000002", // magic, segment 7, flag last
		"0000000000000009", "0000000000004ef1", // the span
		"0000000000000001", "1000000000000000", // times
		"ea7c97e8", "076d4bad", // the segment's ends
		"00000002", "00000038", "8420c23b", "d4792ab4", // two topics, body and checks
		"00000006", "0000000e", "0000000c", "0000001c", // where names and lists end
		"6576656e7473", "6f7264657273", // events, orders
		"ac02a01f", "c801d00f", "64a09c01", "0000", // events: 300, 4000; 200, 2000; 100 + 20000
		"0000", "0218", "00640000", "a09c0164010c", // orders: two extents
	}, "")
	if got := hex.EncodeToString(exampleChunk().Bytes()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Of a chunk that is cut off, or in which any byte differs, nothing is believed.
func TestDamagedChunk(t *testing.T) {
	sound := exampleChunk().Bytes()
	for i := range sound {
		if _, err := index.ParseChunk(sound[:i]); !errors.Is(err, index.ErrUnsound) {
			t.Errorf("cut off at %d: got %v", i, err)
		}
		for bit := range 8 {
			b := []byte(string(sound))
			b[i] ^= 1 << bit
			if _, err := index.ParseChunk(b); !errors.Is(err, index.ErrUnsound) {
				t.Errorf("byte %d, bit %d: got %v", i, bit, err)
			}
		}
	}
	longer := append([]byte(string(sound)), 0)
	if _, err := index.ParseChunk(longer); !errors.Is(err, index.ErrUnsound) {
		t.Errorf("one byte more: got %v", err)
	}
}

// Each has every topic of a chunk, by name, with the points at its ends.
func TestEach(t *testing.T) {
	var got strings.Builder
	err := exampleChunk().Each(func(topic []byte, first, after index.Point) {
		fmt.Fprintln(&got, string(topic), first, after)
	})
	const want = "events {300 4000} {500 6000}\norders {0 0} {2 24}\n"
	if err != nil || got.String() != want {
		t.Errorf("got %s, %v, want %s", &got, err, want)
	}
}

// A chunk without topics is one too.
func TestEmptyChunk(t *testing.T) {
	c, err := index.ParseChunk(index.NewBuilder(5).Seal(index.Header{From: 5, To: 5}).Bytes())
	if err != nil || c.Size() != index.HeaderBytes {
		t.Fatalf("got %+v, %v", c, err)
	}
	if _, found, err := c.Find("t"); found || err != nil {
		t.Errorf("got %t, %v", found, err)
	}
}
