package oracle_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"purofs/engine"
	"purofs/engine/oracle"
)

// A bench is a store with the ledgers of its producers beside it.
type bench struct {
	*testing.T
	dir, store string
	log        *engine.Log
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{T: t, dir: dir, store: filepath.Join(dir, "store")}
	l, err := engine.Open(context.Background(), b.store, engine.Options{Sync: engine.SyncNone})
	if err != nil {
		t.Fatal(err)
	}
	b.log = l
	t.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, engine.ErrClosed) {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) close() {
	b.Helper()
	if err := b.log.Close(); err != nil {
		b.Fatal(err)
	}
}

// plan is that of the producers: several records an append, in two topics.
func plan(name string) oracle.Plan {
	return oracle.Plan{
		Seed: 7, Producer: name, Topics: []string{"t", "u"}, Keyed: name < "m", RecordsMax: 5,
	}
}

func (b *bench) producer(plan oracle.Plan) *oracle.Producer {
	b.Helper()
	p, err := oracle.OpenProducer(b.ledger(plan.Producer), plan, false)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.Close() })
	return p
}

func (b *bench) ledger(name string) string { return filepath.Join(b.dir, name+".ledger") }

// append has a producer append that many times to something that stands for the log.
func (b *bench) append(p *oracle.Producer, to oracle.Appender, times int) {
	b.Helper()
	for range times {
		if err := p.Append(context.Background(), to); err != nil && !errors.Is(err, errRefused) {
			b.Fatal(err)
		}
	}
}

func (b *bench) check(opts oracle.Options) *oracle.Report {
	b.Helper()
	ledgers, err := filepath.Glob(filepath.Join(b.dir, "*.ledger"))
	if err != nil {
		b.Fatal(err)
	}
	books, err := oracle.ReadBooks(ledgers...)
	if err != nil {
		b.Fatal(err)
	}
	report, err := oracle.Check(context.Background(), b.store, books, opts)
	if err != nil {
		b.Fatal(err)
	}
	return report
}

// want checks that these rules were violated and no others, and that the report says so.
func want(t *testing.T, report *oracle.Report, rules ...oracle.Rule) {
	t.Helper()
	var got []oracle.Rule
	for rule := range report.Total {
		got = append(got, rule)
	}
	slices.Sort(got)
	slices.Sort(rules)
	if !slices.Equal(got, rules) {
		t.Errorf("got violations of %q, want %q: %v", got, rules, report.Err())
	}
	for _, rule := range rules {
		if !strings.Contains(fmt.Sprint(report.Err()), "\n  "+string(rule)+": ") {
			t.Errorf("the error does not tell of %s: %v", rule, report.Err())
		}
	}
}

var errRefused = errors.New("refused")

// A liar is a log that does something else with one append, the nth, than it says.
type liar struct {
	*engine.Log
	n   int
	lie func(l *engine.Log, b *engine.Batch) error
}

func (l *liar) Append(ctx context.Context, b *engine.Batch) error {
	if l.n--; l.n != 0 {
		return l.Log.Append(ctx, b)
	}
	return l.lie(l.Log, b)
}

// put appends records to a topic as one batch.
func put(l *engine.Log, topic, key string, values ...string) error {
	var b engine.Batch
	for _, value := range values {
		b.Add(topic, []byte(key), []byte(value))
	}
	return l.Append(context.Background(), &b)
}
