package oracle_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"purofs/engine"
	"purofs/engine/oracle"
)

// A producer that was killed goes on where its ledger ends, wherever that was cut off; what was not
// acknowledged may be missing.
func TestLedgerGoesOn(t *testing.T) {
	b := newBench(t)
	p := b.producer(plan("z"))
	b.append(p, b.log, 3)
	first := p.Next()
	b.append(p, b.log, 1)
	p.Close()
	b.close()
	whole, err := os.ReadFile(b.ledger("z"))
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(b.ledger("z"), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := oracle.OpenProducer(b.ledger("z"), plan("z"), false)
		if err != nil {
			t.Fatalf("cut at byte %d: %v", cut, err)
		}
		if next := again.Next(); cut == 0 && next != 0 || next > p.Next() ||
			cut == len(whole) && next <= first {
			t.Errorf("cut at byte %d: it goes on with record %d", cut, next)
		}
		again.Close()
		if _, err := oracle.ReadBooks(b.ledger("z")); err != nil {
			t.Fatalf("cut at byte %d: %v", cut, err)
		}
	}
	if _, err := oracle.OpenProducer(b.ledger("z"), oracle.Plan{Producer: "z"}, false); err == nil {
		t.Error("a ledger of another plan was taken")
	}
}

// A ledger of nothing is that of a producer that was killed before it began; garbage is not.
func TestLedgersThatAreNone(t *testing.T) {
	b := newBench(t)
	for _, tt := range []struct {
		text string
		ok   bool
	}{
		{"", true}, {`{"seed":`, true}, {"garbage\n", false}, {"{}\nx\n", false}, {"{}\n\n", false},
		{"{}\na 0 0\n", false}, {"{}\ni 5 1\n", false}, {"{}\ni 0 0\n", false}, {"{}\no\ni 0 1\n", true},
	} {
		if err := os.WriteFile(b.ledger("z"), []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := oracle.ReadBooks(b.ledger("z")); (err == nil) != tt.ok {
			t.Errorf("%q: got %v, want that it is accepted: %t", tt.text, err, tt.ok)
		}
	}
}

// losing is a log that forgets what is appended from some moment on, as one after a power cut.
type losing struct {
	t *testing.T
	*engine.Log
	lose bool
}

func (l *losing) Append(ctx context.Context, b *engine.Batch) error {
	if l.lose {
		return elsewhere(l.t, b)
	}
	return l.Log.Append(ctx, b)
}

// After a power cut what was synced has to be there, and of the rest a prefix.
func TestWhichAcknowledgementsCount(t *testing.T) {
	single := oracle.Plan{Producer: "z"}
	b := newBench(t)
	p := b.producer(single)
	l := &losing{t: t, Log: b.log}
	b.append(p, l, 10)
	if err := p.Synced(); err != nil {
		t.Fatal(err)
	}
	b.append(p, l, 5)
	info, err := os.Stat(b.ledger("z"))
	if err != nil {
		t.Fatal(err)
	}
	l.lose = true
	b.append(p, l, 5)
	p.Close()
	b.close()

	want(t, b.check(oracle.Options{}), oracle.Lost)
	want(t, b.check(oracle.Options{Acks: oracle.AcksSynced}))
	want(t, b.check(oracle.Options{Acks: oracle.AcksNone}))

	books, err := oracle.ReadLedgers(oracle.Ledger{Path: b.ledger("z"), AckBytes: info.Size()})
	if err != nil {
		t.Fatal(err)
	}
	if got := books.Acknowledged(); got != 15 {
		t.Errorf("%d acknowledgements count, want those of the first 15", got)
	}
	report, err := oracle.Check(context.Background(), b.store, books, oracle.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, report)
}

// What was acknowledged last may be lost in a power cut, but not with something behind it kept,
// unless the producer was started anew in between.
func TestHoles(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		b := newBench(t)
		p := b.producer(oracle.Plan{Producer: "z"})
		l := &losing{t: t, Log: b.log}
		b.append(p, l, 10)
		l.lose = true
		b.append(p, l, 1)
		l.lose = false
		if restarted {
			p.Close()
			p = b.producer(oracle.Plan{Producer: "z"})
		}
		// What comes behind the hole has the offset that was promised to it only where it was opened
		// anew; see G6.
		err := p.Do(func(r []oracle.Record) (int64, error) {
			return -1, put(b.log, "all", "", values(r)...)
		})
		if err != nil {
			t.Fatal(err)
		}
		b.close()
		report := b.check(oracle.Options{Acks: oracle.AcksNone})
		if restarted {
			want(t, report)
		} else {
			want(t, report, oracle.Lost)
		}
		want(t, b.check(oracle.Options{Acks: oracle.AcksNone, Holes: true}))
		want(t, b.check(oracle.Options{Holes: true}), oracle.Lost) // for it counts
	}
}

// A sync that failed leaves nobody the wiser.
func TestPoisonedIsUnknown(t *testing.T) {
	b := newBench(t)
	p := b.producer(oracle.Plan{Producer: "z"})
	lie := func(l *engine.Log, batch *engine.Batch) error {
		return errors.Join(l.Append(context.Background(), batch), engine.ErrPoisoned)
	}
	err := p.Append(context.Background(), &liar{Log: b.log, n: 1, lie: lie})
	if !errors.Is(err, engine.ErrPoisoned) || !errors.Is(err, oracle.ErrUnknown) {
		t.Errorf("got %v", err)
	}
	b.close()
	report := b.check(oracle.Options{})
	want(t, report)
	if report.Unknown != 1 || report.Acknowledged != 0 {
		t.Errorf("got %+v, want one record that may be there", report)
	}
}

// The slowest producer, beside the mean of all.
func TestFairness(t *testing.T) {
	b := newBench(t)
	b.append(b.producer(oracle.Plan{Producer: "y"}), b.log, 2)
	b.append(b.producer(oracle.Plan{Producer: "z"}), b.log, 4)
	books, err := oracle.ReadBooks(b.ledger("y"), b.ledger("z"))
	if err != nil {
		t.Fatal(err)
	}
	if least, mean := books.Fairness(); least != 2 || mean != 3 {
		t.Errorf("got %d and %v, want 2 and 3", least, mean)
	}
}
