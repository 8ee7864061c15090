package oracle

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
)

// A Plan says what a producer writes. The zero value of each field but the first two means its
// default.
type Plan struct {
	// Seed is what all sizes, topics and payloads are drawn from.
	Seed uint64 `json:"seed"`
	// Producer is its name: any text without white space.
	Producer string `json:"producer"`
	// Topics are where the records go, each to one of them; "all" by default.
	Topics []string `json:"topics,omitempty"`
	// Keyed puts the name of a record into its key, so that values can be empty. Otherwise the value
	// begins with it, as it has to where records are lines.
	Keyed bool `json:"keyed,omitempty"`
	// RecordsMax is how many records an append has at most; 1 by default.
	RecordsMax int `json:"records_max,omitempty"`
	// BytesMax is the size of the largest payload. One in sixteen is empty, some have about the size
	// of a page, one in 256 has up to that many bytes, the others up to 120. 16 KiB by default.
	BytesMax int `json:"bytes_max,omitempty"`
}

// TopicDefault is the topic of plans that name none.
const TopicDefault = "all"

func (p Plan) withDefaults() Plan {
	if len(p.Topics) == 0 {
		p.Topics = []string{TopicDefault}
	}
	if p.RecordsMax == 0 {
		p.RecordsMax = 1
	}
	if p.BytesMax == 0 {
		p.BytesMax = 16 << 10
	}
	return p
}

func (p Plan) validate() error {
	if p.Producer == "" || bytes.ContainsAny([]byte(p.Producer), " \t\n") {
		return fmt.Errorf("producer %q: want a name without white space", p.Producer)
	}
	if p.RecordsMax < 0 || p.BytesMax < 0 {
		return errors.New("a plan with negative bounds")
	}
	return nil
}

// Records is how many records the first so many appends of a plan have.
func (p Plan) Records(appends int) (n uint64) {
	g := newGenerator(p.withDefaults())
	for range appends {
		n += uint64(g.count(n))
	}
	return n
}

// A Record is what a producer appends. It is never changed, and valid until the next append.
type Record struct {
	Seq   uint64 // its number among the records of its producer, from 0
	Topic string
	Key   []byte
	Value []byte // without a newline
}

// A generator makes the records of a plan.
type generator struct {
	plan  Plan
	base  uint64
	arena []byte // of the records made since the last reset
}

func newGenerator(plan Plan) *generator {
	hash := fnv.New64a()
	hash.Write([]byte(plan.Producer))
	return &generator{plan: plan, base: mix(hash.Sum64()) ^ mix(plan.Seed)}
}

// What numbers are drawn for.
const (
	drawCount = iota + 1
	drawTopic
	drawSize
	drawPayload
)

func (g *generator) draw(what, seq uint64) uint64 { return mix(g.base + what<<56 + seq) }

// count is how many records the append has that begins with record seq.
func (g *generator) count(seq uint64) int {
	return 1 + int(g.draw(drawCount, seq)%uint64(g.plan.RecordsMax))
}

func (g *generator) topic(seq uint64) string {
	return g.plan.Topics[g.draw(drawTopic, seq)%uint64(len(g.plan.Topics))]
}

func (g *generator) size(seq uint64) int {
	d := g.draw(drawSize, seq)
	kind, d := d%256, d>>8
	size := 1 + d%120
	switch {
	case kind < 16:
		size = 0
	case kind < 24:
		size = 4096 - 40 + d%80 // around a page
	case kind == 24:
		size = d % uint64(g.plan.BytesMax+1)
	}
	return int(min(size, uint64(g.plan.BytesMax)))
}

// reset gives the room of all records back.
func (g *generator) reset() { g.arena = g.arena[:0] }

// record makes record seq.
func (g *generator) record(seq uint64) Record {
	name := len(g.arena)
	g.arena = append(g.arena, g.plan.Producer...)
	g.arena = append(g.arena, ' ')
	g.arena = strconv.AppendUint(g.arena, seq, 10)
	value := len(g.arena)
	if !g.plan.Keyed {
		g.arena = append(g.arena, ' ')
		value = name
	}
	payload := len(g.arena)
	g.arena = appendPayload(g.arena, g.draw(drawPayload, seq), g.size(seq))
	r := Record{Seq: seq, Topic: g.topic(seq), Value: g.arena[value:]}
	if g.plan.Keyed {
		r.Key, r.Value = g.arena[name:payload:payload], g.arena[payload:]
	}
	return r
}

// payloadDigits are 64 printable bytes, none of which a shell or a line-based format changes.
const payloadDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-"

// appendPayload appends size bytes drawn from a state: no two records have a longer part in common
// than chance gives them.
func appendPayload(b []byte, state uint64, size int) []byte {
	const digitsOfWord = 10
	end := len(b) + size
	for len(b) < end {
		state += 0x9E3779B97F4A7C15
		word := mix(state)
		for range min(digitsOfWord, end-len(b)) {
			b = append(b, payloadDigits[word&63])
			word >>= 6
		}
	}
	return b
}

// mix is the finalizer of SplitMix64: a permutation of which each bit depends on all others.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xBF58476D1CE4E5B9
	x ^= x >> 27
	x *= 0x94D049BB133111EB
	return x ^ x>>31
}

// parseName returns whose record it is, and which, as its key or the beginning of its value says.
func parseName(key, value []byte) (producer string, seq uint64, ok bool) {
	text := key
	if len(key) == 0 {
		text = value
	}
	name, rest, found := bytes.Cut(text, []byte{' '})
	if !found {
		return "", 0, false
	}
	digits, _, _ := bytes.Cut(rest, []byte{' '})
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	return string(name), seq, err == nil
}
