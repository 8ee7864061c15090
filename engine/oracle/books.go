package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"sort"
)

// Books are the ledgers of all producers of a store. Checks only read them.
type Books struct {
	books map[string]*book
}

// A book is the ledger of one producer.
type book struct {
	path    string
	plan    Plan
	batches []batch // in the order of their records, without gaps
}

// A batch is one append.
type batch struct {
	first  uint64
	count  int
	life   int   // the producer's, counted by openings of the ledger
	offset int64 // of its first record, if it was acknowledged, or -1
	state  batchState
}

type batchState uint8

const (
	stateUnknown batchState = iota
	stateRefused
	stateAcked
	stateSynced // acknowledged, and promised to be on the disk
)

// A Ledger is a producer's file, and how much of it was written when the fault came.
type Ledger struct {
	Path string
	// AckBytes is up to which byte acknowledgements count; 0 means that all do. It is for faults that
	// a test chooses afterwards, as a power cut at some moment of a recorded run.
	AckBytes int64
}

// ReadBooks reads the ledgers of all producers.
func ReadBooks(paths ...string) (*Books, error) {
	ledgers := make([]Ledger, len(paths))
	for i, path := range paths {
		ledgers[i] = Ledger{Path: path}
	}
	return ReadLedgers(ledgers...)
}

// ReadLedgers is ReadBooks for ledgers of which not every acknowledgement counts.
func ReadLedgers(ledgers ...Ledger) (*Books, error) {
	b := &Books{books: make(map[string]*book)}
	for _, ledger := range ledgers {
		text, err := os.ReadFile(ledger.Path)
		if err != nil {
			return nil, err
		}
		if ledger.AckBytes > 0 {
			text = withoutAcks(text, ledger.AckBytes)
		}
		one, err := parseLedger(ledger.Path, text)
		if errors.Is(err, errEmptyLedger) {
			continue // its producer was killed before it began
		}
		if err != nil {
			return nil, err
		}
		if other := b.books[one.plan.Producer]; other != nil {
			return nil, fmt.Errorf("%s and %s are both of producer %s",
				other.path, one.path, one.plan.Producer)
		}
		b.books[one.plan.Producer] = one
	}
	return b, nil
}

// withoutAcks takes the acknowledgements, and the marks of syncs, out that begin at limit or later.
func withoutAcks(text []byte, limit int64) []byte {
	kept := bytes.Clone(text[:min(limit, int64(len(text)))])
	whole := bytes.LastIndexByte(kept, '\n') + 1
	kept = kept[:whole]
	for line := range bytes.Lines(text[whole:]) {
		if line[0] != 'a' && line[0] != 's' {
			kept = append(kept, line...)
		}
	}
	return kept
}

var errEmptyLedger = errors.New("the ledger is empty")

// parseLedger reads a ledger. What stands behind the last newline was cut off by a kill.
func parseLedger(path string, text []byte) (*book, error) {
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	plan, text, found := bytes.Cut(text, []byte{'\n'})
	if !found {
		return nil, fmt.Errorf("%s: %w", path, errEmptyLedger)
	}
	b := &book{path: path}
	if err := json.Unmarshal(plan, &b.plan); err != nil {
		return nil, fmt.Errorf("%s: no plan in its first line: %w", path, err)
	}
	b.plan = b.plan.withDefaults()
	life := 0
	for line := range bytes.Lines(text) {
		if err := b.entry(line[:len(line)-1], &life); err != nil {
			return nil, fmt.Errorf("%s: entry %.80q: %w", path, line, err)
		}
	}
	return b, nil
}

// entry takes a line of the ledger into account.
func (b *book) entry(line []byte, life *int) error {
	if len(line) == 0 {
		return errors.New("it is empty")
	}
	kind, rest := line[0], string(line[1:])
	switch kind {
	case 'o':
		*life++
		return nil
	case 's':
		for i := len(b.batches) - 1; i >= 0 && b.batches[i].state != stateSynced; i-- {
			if b.batches[i].state == stateAcked {
				b.batches[i].state = stateSynced
			}
		}
		return nil
	case 'i':
		next := batch{life: *life, offset: -1}
		if _, err := fmt.Sscan(rest, &next.first, &next.count); err != nil {
			return err
		}
		if next.first != b.next() || next.count < 1 {
			return fmt.Errorf("want an intent from %d on", b.next())
		}
		b.batches = append(b.batches, next)
		return nil
	case 'a', 'r':
		return b.answer(kind, rest)
	}
	return errors.New("it is of no known kind")
}

func (b *book) answer(kind byte, rest string) error {
	var first uint64
	if _, err := fmt.Sscan(rest, &first); err != nil {
		return err
	}
	if len(b.batches) == 0 || b.batches[len(b.batches)-1].first != first {
		return errors.New("its intent does not stand before it")
	}
	last := &b.batches[len(b.batches)-1]
	if kind == 'r' {
		last.state = stateRefused
		return nil
	}
	last.state = stateAcked
	_, err := fmt.Sscan(rest, &first, &last.offset)
	return err
}

// next is the number of the record behind the last intent.
func (b *book) next() uint64 {
	if len(b.batches) == 0 {
		return 0
	}
	last := &b.batches[len(b.batches)-1]
	return last.first + uint64(last.count)
}

// batch returns the index of the append that has record seq, -1 if there is none.
func (b *book) batch(seq uint64) int {
	if seq >= b.next() {
		return -1
	}
	return sort.Search(len(b.batches), func(i int) bool { return b.batches[i].first > seq }) - 1
}

// Producers is how many producers have intended anything.
func (b *Books) Producers() int { return len(b.books) }

// Acknowledged is how many records were, of all producers together.
func (b *Books) Acknowledged() (records uint64) {
	for _, one := range b.books {
		records += one.acknowledged()
	}
	return records
}

func (b *book) acknowledged() (records uint64) {
	for i := range b.batches {
		if b.batches[i].state >= stateAcked {
			records += uint64(b.batches[i].count)
		}
	}
	return records
}

// Fairness returns how many records the slowest producer got acknowledged, and how many they did on
// average.
func (b *Books) Fairness() (least uint64, mean float64) {
	least = math.MaxUint64
	for _, one := range b.books {
		n := one.acknowledged()
		least = min(least, n)
		mean += float64(n) / float64(len(b.books))
	}
	return least, mean
}

// topics returns the names of all topics of the plans, in order.
func (b *Books) topics() []string {
	set := make(map[string]bool)
	for _, one := range b.books {
		for _, topic := range one.plan.Topics {
			set[topic] = true
		}
	}
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
