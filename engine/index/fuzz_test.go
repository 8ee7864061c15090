package index_test

import (
	"testing"

	"purofs/engine/index"
)

// FuzzParseChunk: whatever the bytes are, nothing panics, and what is taken out of a chunk is
// within its span and in order. The checks are made right, for otherwise nothing would get behind
// them.
func FuzzParseChunk(f *testing.F) {
	rnd := newRand(f)
	f.Add(exampleChunk().Bytes()[index.HeaderBytes:], uint32(2), "orders")
	f.Add([]byte{}, uint32(0), "")
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 9, 't', 0, 0, 0, 0, 5, 0, 0, 0, 0}, uint32(1), "t")
	parts, to := layOut(rnd, 0, 100, 10)
	b := index.NewBuilder(0)
	for _, p := range parts {
		b.Add([]byte(p.topic), p.pos, p.end, p.at, p.after)
	}
	f.Add(b.Seal(index.Header{To: to}).Bytes()[index.HeaderBytes:], uint32(10), "topic.0")
	f.Fuzz(func(t *testing.T, body []byte, topics uint32, topic string) {
		const from, end = 1000, 10_000_000
		c, err := index.ParseChunk(index.SealBody(body, topics, from, end))
		if err != nil {
			return
		}
		var names []string
		_ = c.Each(func(topic []byte, _, _ index.Point) { names = append(names, string(topic)) })
		for _, name := range append(names, topic) {
			requireInOrder(t, c, name, from, end)
		}
	})
}

func requireInOrder(t *testing.T, c *index.Chunk, topic string, from, end int64) {
	list, found, err := c.Find(topic)
	if err != nil || !found {
		return
	}
	at, point := from, list.First
	for n := 0; ; n++ {
		e, err := list.Next()
		if err != nil {
			return
		}
		if e.Pos < at || e.End <= e.Pos || e.End > end || e.At.Offset < point.Offset ||
			e.At.Text < point.Text || n > len(c.Bytes()) {
			t.Fatalf("topic %q: extent %+v behind %d, %+v", topic, e, at, point)
		}
		at, point = e.End, e.At
	}
}
