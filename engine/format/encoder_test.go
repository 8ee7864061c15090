package format_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"purofs/engine/format"
)

// However many records, of whatever lengths, topics and parts: the encoder, which computes four
// checks at a time, gives what AppendRecord gives one by one.
func TestEncoderEqualsAppendRecord(t *testing.T) {
	rnd := format.NewRand(t)
	var e format.Encoder
	for range 300 {
		e.Reset(1 << 20)
		var want, topic []byte
		for i := range rnd.IntN(12) {
			if i == 0 || rnd.IntN(3) == 0 {
				topic = format.RandomBytes(rnd, 1+rnd.IntN(format.TopicBytesMax))
				e.SetTopic(topic)
			}
			key := format.RandomBytes(rnd, rnd.IntN(3)*rnd.IntN(format.KeyBytesMax))
			value := format.RandomBytes(rnd, rnd.IntN(2)*rnd.IntN(40000))
			want = format.AppendRecord(want, topic, key, value)
			e.Add(topic, key, len(value), split(rnd, value))
			if got := e.Len(); got != len(want) {
				t.Fatalf("got Len %d, want %d", got, len(want))
			}
		}
		requireBytes(t, e.Finish(), want)
	}
}

// split cuts b into up to four parts, of which some may be empty.
func split(rnd *rand.Rand, b []byte) [][]byte {
	var parts [][]byte
	for range rnd.IntN(3) {
		n := rnd.IntN(len(b) + 1)
		parts = append(parts, b[:n])
		b = b[n:]
	}
	return append(parts, b)
}

// Finish may be followed by more records, and again by Finish.
func TestEncoderGoesOnAfterFinish(t *testing.T) {
	var e format.Encoder
	var want []byte
	topic := []byte("t")
	e.SetTopic(topic)
	for _, value := range []string{"one", "two", "", "four", "five", "six"} {
		e.Add(topic, nil, len(value), [][]byte{[]byte(value)})
		want = format.AppendRecord(want, topic, nil, []byte(value))
		requireBytes(t, e.Finish(), want)
	}
}

func TestEncoderReset(t *testing.T) {
	var e format.Encoder
	topic := []byte("t")
	e.SetTopic(topic)
	e.Add(topic, nil, 100, [][]byte{make([]byte, 100)})
	buffer := cap(e.Finish())

	e.Reset(buffer)
	if got := cap(e.Finish()); got != buffer || e.Len() != 0 {
		t.Errorf("got %d bytes in a buffer of %d, want 0 in the same of %d", e.Len(), got, buffer)
	}
	e.Reset(buffer - 1)
	if got := cap(e.Finish()); got != 0 {
		t.Errorf("got a buffer of %d bytes, want none, since it was more than may be kept", got)
	}

	// A record whose check is still to be made is forgotten too.
	e.SetTopic(topic)
	e.Add(topic, nil, 100, [][]byte{make([]byte, 100)})
	e.Reset(0)
	e.Add(topic, nil, 1, [][]byte{{'x'}})
	if want := format.AppendRecord(nil, topic, nil, []byte("x")); !bytes.Equal(e.Finish(), want) {
		t.Errorf("after Reset: got % x, want % x", e.Finish(), want)
	}
}
