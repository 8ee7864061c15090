package oracle_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"purofs/engine"
	"purofs/engine/oracle"
)

func TestMain(m *testing.M) {
	oracle.RunJob()
	os.Exit(m.Run())
}

// The parts in processes of their own: two producing, one of which is killed, one consuming, and
// one that checks.
func TestJobs(t *testing.T) {
	dir := t.TempDir()
	store, notes := filepath.Join(dir, "store"), filepath.Join(dir, "notes")
	options := engine.Options{Sync: engine.SyncNone}
	producing := func(name string, appends int) oracle.Job {
		return oracle.Job{
			Kind: "produce", Store: store, Engine: options, Ledgers: dir, Appends: appends,
			Plans: []oracle.Plan{
				{Producer: name + "1", RecordsMax: 3, Keyed: true}, {Producer: name + "2", RecordsMax: 3},
			},
		}
	}
	endless, finite := oracle.Launch(t, producing("e", 0)), oracle.Launch(t, producing("f", 50))
	consumer := oracle.Launch(t, oracle.Job{
		Kind: "consume", Store: store, Engine: options, Topic: oracle.TopicDefault, Notes: notes,
	})
	for _, p := range []*oracle.Process{endless, finite, consumer} {
		p.Ready()
		p.Begin()
	}
	if said := finite.Finish(); oracle.Refused(said) != 0 {
		t.Errorf("appends were refused: %s", said)
	}
	endless.Kill()
	consumer.Stop()
	consumer.Finish()
	report, err := oracle.CheckFresh(t, store, dir, oracle.Options{Consumers: []string{notes}})
	if err != nil {
		t.Fatal(err)
	}
	want(t, report)
	if report.Producers != 4 || report.Acknowledged < 100 || report.Sightings == 0 {
		t.Errorf("got %+v", report)
	}

	// A fresh process finds what is wrong as well.
	l, err := engine.Open(context.Background(), store, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := put(l, oracle.TopicDefault, "", "a stranger"); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err = oracle.CheckFresh(t, store, dir, oracle.Options{}); err != nil {
		t.Fatal(err)
	}
	want(t, report, oracle.Phantom)
}

// A check after hours has the names of thousands of consumers, which is more than the environment
// of a process takes.
func TestJobOfManyNames(t *testing.T) {
	dir := t.TempDir()
	store, notes := filepath.Join(dir, "store"), filepath.Join(dir, strings.Repeat("n", 200))
	l, err := engine.Open(t.Context(), store, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(notes, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	consumers := slices.Repeat([]string{notes}, 1000)
	report, err := oracle.CheckFresh(t, store, dir, oracle.Options{Consumers: consumers})
	if err != nil {
		t.Fatal(err)
	}
	want(t, report)
}
