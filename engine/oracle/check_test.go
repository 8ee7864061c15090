package oracle_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"purofs/engine"
	"purofs/engine/oracle"
)

// What went well is found to be well, also by a consumer that began in the middle.
func TestSoundLog(t *testing.T) {
	b := newBench(t)
	keyed, lines := b.producer(plan("a")), b.producer(plan("z"))
	b.append(keyed, b.log, 50)
	b.append(lines, b.log, 50)
	b.append(keyed, b.log, 500)
	if got := plan("a").Records(550); got != keyed.Next() {
		t.Errorf("the plan says that 550 appends have %d records, they have %d", got, keyed.Next())
	}
	info, err := b.log.Topic("t")
	if err != nil {
		t.Fatal(err)
	}
	for i, first := range []uint64{0, info.Next / 2} {
		c, err := oracle.NewConsumer(filepath.Join(b.dir, fmt.Sprint("consumer", i)), "t", first)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Follow(context.Background(), b.log, "t", info.Next); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b.close()
	report := b.check(oracle.Options{Consumers: []string{
		filepath.Join(b.dir, "consumer0"), filepath.Join(b.dir, "consumer1"),
	}})
	want(t, report)
	if report.Acknowledged != report.Records || report.Producers != 2 || report.Appends != 600 ||
		report.Sightings < int(info.Next/64) {
		t.Errorf("got %+v", report)
	}
}

// Each way in which a log can lie is found, and called by its name.
func TestLies(t *testing.T) {
	refused := func(l *engine.Log, b *engine.Batch) error {
		return errors.Join(l.Append(context.Background(), b), errRefused)
	}
	twice := func(l *engine.Log, b *engine.Batch) error {
		return errors.Join(l.Append(context.Background(), b), l.Append(context.Background(), b))
	}
	// Nothing is stored, but the batch gets offsets: those of a store that is thrown away.
	nothing := func(_ *engine.Log, b *engine.Batch) error {
		return elsewhere(t, b)
	}
	tests := []struct {
		name  string
		lie   func(*engine.Log, *engine.Batch) error
		rules []oracle.Rule
	}{
		{"acknowledged, not stored", nothing, []oracle.Rule{oracle.Lost}},
		{"refused, but stored", refused, []oracle.Rule{oracle.Phantom}},
		{"stored twice", twice, []oracle.Rule{oracle.Doubled, oracle.Order}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			p := b.producer(plan("z"))
			b.append(p, &liar{Log: b.log, n: 20, lie: tt.lie}, 40)
			b.close()
			want(t, b.check(oracle.Options{}), tt.rules...)
		})
	}
}

// elsewhere appends a batch to another log.
func elsewhere(t *testing.T, b *engine.Batch) error {
	l, err := engine.Open(context.Background(), filepath.Join(t.TempDir(), "other"), engine.Options{})
	if err != nil {
		return err
	}
	return errors.Join(l.Append(context.Background(), b), l.Close())
}

// Stores that hold something else than what was appended to them.
func TestWrongStores(t *testing.T) {
	tests := []struct {
		name  string
		wrong func(l *engine.Log, records []oracle.Record) error
		rules []oracle.Rule
	}{
		{"as it should be", func(l *engine.Log, r []oracle.Record) error {
			return put(l, "t", "", values(r)...)
		}, nil},
		{"a byte altered", func(l *engine.Log, r []oracle.Record) error {
			v := values(r)
			v[1] += "x"
			return put(l, "t", "", v...)
		}, []oracle.Rule{oracle.Torn, oracle.Block, oracle.Lost}},
		{"cut off", func(l *engine.Log, r []oracle.Record) error {
			v := values(r)
			v[1] = v[1][:len(v[1])-1]
			return put(l, "t", "", v...)
		}, []oracle.Rule{oracle.Torn, oracle.Block, oracle.Lost}},
		{"a part is missing", func(l *engine.Log, r []oracle.Record) error {
			return put(l, "t", "", values(r)[1:]...)
		}, []oracle.Rule{oracle.Block, oracle.Lost}},
		{"another record in between", func(l *engine.Log, r []oracle.Record) error {
			v := values(r)
			return put(l, "t", "", slices.Insert(v, 1, "other 0 ")...)
		}, []oracle.Rule{oracle.Block, oracle.Phantom}},
		{"in another order", func(l *engine.Log, r []oracle.Record) error {
			v := values(r)
			v[1], v[2] = v[2], v[1]
			return put(l, "t", "", v...)
		}, []oracle.Rule{oracle.Order}},
		{"a record that will be written", func(l *engine.Log, r []oracle.Record) error {
			return put(l, "t", "", append(values(r), fmt.Sprintf("z %d ", r[2].Seq+1000))...)
		}, []oracle.Rule{oracle.Phantom}},
		{"something that is no record", func(l *engine.Log, r []oracle.Record) error {
			return put(l, "t", "", append(values(r), "")...)
		}, []oracle.Rule{oracle.Phantom}},
		{"in another topic", func(l *engine.Log, r []oracle.Record) error {
			return errors.Join(put(l, "t", "", values(r)[1:]...), put(l, "u", "", values(r)[0]))
		}, []oracle.Rule{oracle.Phantom, oracle.Block, oracle.Lost}},
		{"a topic that nobody named", func(l *engine.Log, r []oracle.Record) error {
			return errors.Join(put(l, "t", "", values(r)...), put(l, "x", "", "x"))
		}, []oracle.Rule{oracle.Phantom}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			other := b.producer(oracle.Plan{Producer: "y", Topics: []string{"u"}})
			b.append(other, b.log, 1)
			p := b.producer(oracle.Plan{Seed: 3, Producer: "z", Topics: []string{"t"}, RecordsMax: 9})
			for done := false; !done; {
				err := p.Do(func(records []oracle.Record) (int64, error) {
					if len(records) < 3 {
						return -1, put(b.log, "t", "", values(records)...)
					}
					done = true
					return -1, tt.wrong(b.log, records)
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			b.close()
			want(t, b.check(oracle.Options{}), tt.rules...)
		})
	}
}

func values(records []oracle.Record) (values []string) {
	for _, r := range records {
		values = append(values, string(r.Value))
	}
	return values
}

// An acknowledged record stands at another offset than its producer was told.
func TestMovedRecord(t *testing.T) {
	b := newBench(t)
	p := b.producer(oracle.Plan{Producer: "z"})
	err := p.Do(func(records []oracle.Record) (int64, error) {
		return 3, put(b.log, "all", "", values(records)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	b.close()
	want(t, b.check(oracle.Options{}), oracle.Order)
}

// Damage in the middle violates V, and loses what it hits.
func TestDamagedStore(t *testing.T) {
	b := newBench(t)
	p := b.producer(oracle.Plan{Producer: "z"})
	b.append(p, b.log, 9)
	b.close()
	name := filepath.Join(b.store, "stream0.puro")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text[strings.Index(string(text), "z 4 ")]++
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	report := b.check(oracle.Options{})
	want(t, report, oracle.Verify, oracle.Lost, oracle.Order)
}

// A cursor whose file cannot be read violates V, but for a power cut in a mode that allows for it.
func TestDamagedCursor(t *testing.T) {
	b := newBench(t)
	b.append(b.producer(oracle.Plan{Producer: "z"}), b.log, 3)
	if err := b.log.CreateCursor(context.Background(), "all", "reader"); err != nil {
		t.Fatal(err)
	}
	b.close()
	names, err := filepath.Glob(filepath.Join(b.store, "cursors/*/*"))
	if err != nil || len(names) != 1 {
		t.Fatalf("the files of cursors are %q, %v", names, err)
	}
	if err := os.WriteFile(names[0], []byte("spoilt"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, b.check(oracle.Options{}), oracle.Verify)
	want(t, b.check(oracle.Options{Damaged: true}), oracle.Verify)
	want(t, b.check(oracle.Options{Damaged: true, Acks: oracle.AcksSynced}))
}

// A log that does not take appends violates A.
func TestNotAppendable(t *testing.T) {
	b := newBench(t)
	b.append(b.producer(oracle.Plan{Producer: "z"}), b.log, 3)
	b.close()
	want(t, b.check(oracle.Options{Engine: engine.Options{ValueBytes: 1}}), oracle.Appendable)
}

// A consumer that saw another log, or more than there is, violates O.
func TestConsumersDisagree(t *testing.T) {
	a, b := newBench(t), newBench(t)
	for i, bench := range []*bench{a, b} {
		p, q := bench.producer(oracle.Plan{Producer: "p"}), bench.producer(oracle.Plan{Producer: "q"})
		bench.append(p, bench.log, 100)
		bench.append(q, bench.log, 1+i*2)
		bench.append(p, bench.log, 10)
	}
	var consumers []string
	for i, bench := range []*bench{a, b} {
		path := filepath.Join(bench.dir, "consumer")
		c, err := oracle.NewConsumer(path, "all", 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Follow(context.Background(), bench.log, "all", uint64(111+i*2)); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		consumers = append(consumers, path)
		bench.close()
	}
	want(t, a.check(oracle.Options{Consumers: consumers[:1]}))
	want(t, a.check(oracle.Options{Consumers: consumers}), oracle.Order)
	want(t, b.check(oracle.Options{Consumers: consumers}), oracle.Order)
}

// Lines in a file are checked like records: what a mount stores of them has no key.
func TestLines(t *testing.T) {
	b := newBench(t)
	p := b.producer(oracle.Plan{Producer: "z", RecordsMax: 20})
	for range 30 {
		if err := p.WriteLines(writerFunc(func(text []byte) (int, error) {
			lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
			return len(text), put(b.log, "all", "", lines...)
		})); err != nil {
			t.Fatal(err)
		}
	}
	broken := writerFunc(func([]byte) (int, error) { return 0, io.ErrClosedPipe })
	if err := p.WriteLines(broken); !errors.Is(err, oracle.ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
	info, err := b.log.Topic("all")
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.log.OpenReader("all", engine.Start())
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for range info.Next {
		record, err := r.TryNext()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%s\n", record.Value)
	}
	r.Close()
	b.close()
	c, err := oracle.NewConsumer(filepath.Join(b.dir, "consumer"), "all", 0)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(c.FollowLines(strings.NewReader(text.String()), info.Next), c.Close())
	if err != nil {
		t.Fatal(err)
	}
	report := b.check(oracle.Options{Consumers: []string{filepath.Join(b.dir, "consumer")}})
	want(t, report)
	if report.Acknowledged != info.Next || report.Sightings == 0 {
		t.Errorf("got %+v", report)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
