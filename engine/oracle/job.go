package oracle

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"purofs/engine"
)

// jobEnv names the file that has the job of a process that Launch started, in JSON: the environment
// itself has no room for the names of a thousand consumers.
const jobEnv = "PUROFS_ORACLE_JOB"

// A Job is what a process does: it says "ready", waits for the word of the one who started it,
// works, and ends when it is done, or when its input ends.
type Job struct {
	// Kind is "produce", "consume" or "check".
	Kind string `json:"kind"`

	// Store is opened with Engine. If there is a File, producers write lines to that, and consumers
	// read them from it, in place of opening the store.
	Store  string         `json:"store,omitempty"`
	Engine engine.Options `json:"engine"`
	File   string         `json:"file,omitempty"`

	// Plans are those of a producing process, each with a goroutine of its own. Ledgers is the
	// directory that their ledgers are in. Each appends that often, or without end, with a pause after
	// each.
	Plans   []Plan        `json:"plans,omitempty"`
	Ledgers string        `json:"ledgers,omitempty"`
	Appends int           `json:"appends,omitempty"`
	Pause   time.Duration `json:"pause,omitempty"`
	// Reopen opens the file again for each append, as a shell does with >>.
	Reopen bool `json:"reopen,omitempty"`
	// Mortal ends a producer well when it meets an error that leaves it unknown whether something is
	// stored, and a consumer at any error, as that of a mount whose daemon is dead.
	Mortal bool `json:"mortal,omitempty"`

	// Topic is what a consumer reads, from an offset to before another one, 0 for without end. It
	// notes what it saw in the file Notes.
	Topic string `json:"topic,omitempty"`
	First uint64 `json:"first,omitempty"`
	Until uint64 `json:"until,omitempty"`
	Notes string `json:"notes,omitempty"`

	// Books are the ledgers of a check, and Check its options.
	Books []string `json:"books,omitempty"`
	Check Options  `json:"check"`
}

// RunJob does what this process was started for by Launch, or RunKept, and ends it. In any other
// process it returns at once. TestMain of a package that launches jobs calls it first.
func RunJob() {
	if dir := os.Getenv(keeperEnv); dir != "" {
		if err := keep(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	file := os.Getenv(jobEnv)
	if file == "" {
		return
	}
	var job Job
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &job)
	}
	if err == nil {
		err = job.run()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s in process %d: %v\n", job.Kind, os.Getpid(), err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (j *Job) run() error {
	switch j.Kind {
	case "produce":
		return j.produce()
	case "consume":
		return j.consume()
	case "check":
		return j.check()
	}
	return fmt.Errorf("no such job: %q", j.Kind)
}

// ready waits for the word to begin, and returns a context that ends with the input.
func ready() (context.Context, error) {
	fmt.Println("ready")
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = in.ReadString('\n')
		cancel()
	}()
	return ctx, nil
}

// LedgerOf is where a process keeps the ledger of a producer.
func LedgerOf(dir, producer string) string { return filepath.Join(dir, producer+".ledger") }

func (j *Job) produce() error {
	write, stop, err := j.writer()
	if err != nil {
		return err
	}
	producers := make([]*Producer, len(j.Plans))
	for i, plan := range j.Plans {
		if producers[i], err = OpenProducer(LedgerOf(j.Ledgers, plan.Producer), plan, false); err != nil {
			return err
		}
	}
	ctx, err := ready()
	if err != nil {
		return err
	}
	failures := make([]error, len(producers))
	var refused atomic.Int64
	var wg sync.WaitGroup
	for i, p := range producers {
		wg.Go(func() { failures[i] = j.produceWith(ctx, p, write, &refused) })
	}
	wg.Wait()
	stopped := stop()
	if j.Mortal && j.File != "" {
		stopped = nil // nobody may be there who could close it
	}
	err = errors.Join(errors.Join(failures...), stopped)
	fmt.Printf("refused %d\n", refused.Load())
	return err
}

// writer returns how to write the next records of a producer, and how to end that.
func (j *Job) writer() (func(*Producer) error, func() error, error) {
	if j.File == "" {
		l, err := engine.Open(context.Background(), j.Store, j.Engine)
		if err != nil {
			return nil, nil, err
		}
		return func(p *Producer) error { return p.Append(context.Background(), l) }, l.Close, nil
	}
	open := func() (*os.File, error) { return os.OpenFile(j.File, os.O_WRONLY|os.O_APPEND, 0) }
	if !j.Reopen {
		file, err := open()
		if err != nil {
			return nil, nil, err
		}
		return func(p *Producer) error { return p.WriteLines(file) }, file.Close, nil
	}
	again := func(p *Producer) error {
		file, err := open()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnknown, err)
		}
		err = p.WriteLines(file)
		if closed := file.Close(); err == nil && closed != nil {
			err = fmt.Errorf("%w: %w", ErrUnknown, closed)
		}
		return err
	}
	return again, func() error { return nil }, nil
}

// produceWith appends as often as the job says. An append that was refused because others kept the
// lock is no failure of this one.
func (j *Job) produceWith(
	ctx context.Context, p *Producer, write func(*Producer) error, refused *atomic.Int64,
) error {
	for n := 0; (j.Appends == 0 || n < j.Appends) && ctx.Err() == nil; n++ {
		err := write(p)
		switch {
		case errors.Is(err, engine.ErrLocked), errors.Is(err, syscall.EBUSY):
			refused.Add(1)
		case j.Mortal && errors.Is(err, ErrUnknown):
			return p.Close()
		case err != nil:
			return errors.Join(err, p.Close())
		}
		if j.Pause > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(j.Pause):
			}
		}
	}
	return p.Close()
}

func (j *Job) consume() error {
	c, err := NewConsumer(j.Notes, j.Topic, j.First)
	if err != nil {
		return err
	}
	until := j.Until
	if until == 0 {
		until = 1 << 62
	}
	if j.File != "" {
		in, err := os.Open(j.File)
		if err != nil {
			return err
		}
		if _, err := ready(); err != nil {
			return err
		}
		err = c.FollowLines(in, until)
		if j.Mortal {
			err = nil // in whatever way the mount ended
		}
		return errors.Join(err, c.Close())
	}
	l, err := engine.Open(context.Background(), j.Store, j.Engine)
	if err != nil {
		return err
	}
	ctx, err := ready()
	if err != nil {
		return err
	}
	err = c.Follow(ctx, l, j.Topic, until)
	if errors.Is(err, context.Canceled) {
		err = nil // it was told to end
	}
	return errors.Join(err, c.Close(), l.Close())
}

func (j *Job) check() error {
	books, err := ReadBooks(j.Books...)
	if err != nil {
		return err
	}
	report, err := Check(context.Background(), j.Store, books, j.Check)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}
