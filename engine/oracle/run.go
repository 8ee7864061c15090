package oracle

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The environment of the campaign.
const (
	// TortureEnv, set to 1, has tests take their big sizes.
	TortureEnv = "PUROFS_TORTURE"
	// SeedEnv is the seed of a run, to have it once more.
	SeedEnv = "PUROFS_SEED"
	// ResultsEnv is the directory that results are written to, one file a test; none by default.
	ResultsEnv = "PUROFS_RESULTS"
)

// Torture tells whether tests are to take their big sizes.
func Torture() bool { return os.Getenv(TortureEnv) == "1" }

// Size chooses between the size that a test has in every run of all tests, and the one that it has
// now and then.
func Size(ci, torture int) int {
	if Torture() {
		return torture
	}
	return ci
}

// A Run is one run of a test of the campaign: it has the seed, says how to run it again, and keeps
// the counts that are published.
type Run struct {
	// Rand draws from the seed. It is used by one goroutine at a time.
	Rand *rand.Rand
	// Seed is that of the run.
	Seed uint64

	t       testing.TB
	id      string
	started time.Time

	mu     sync.Mutex
	counts map[string]any
}

// Start begins a run of the test with that number in docs/testing.md, as "T3". When the test ends,
// how it went is logged, and written to the directory that ResultsEnv names.
func Start(t testing.TB, id string) *Run {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(SeedEnv); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", SeedEnv, err)
		}
	}
	r := &Run{
		Rand: rand.New(rand.NewPCG(seed, 0)), Seed: seed,
		t: t, id: id, started: time.Now(), counts: make(map[string]any),
	}
	t.Cleanup(r.finish)
	return r
}

// RandOf draws from the seed and the name of a part of the test. So a part that is run alone draws
// what it did among the others.
func (r *Run) RandOf(part string) *rand.Rand {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(part)) // which never fails
	return rand.New(rand.NewPCG(r.Seed, sum.Sum64()))
}

// Again is the command that runs the test once more with the same seed.
func (r *Run) Again() string { return r.AgainOf(r.t.Name()) }

// AgainOf is the command that runs a part of the test once more, which has that name in full, with
// the same seed.
func (r *Run) AgainOf(name string) string {
	torture, patience := "", ""
	if Torture() {
		// What takes an hour would meet the ten minutes that go test has patience for by itself.
		torture, patience = TortureEnv+"=1 ", " -timeout 48h"
	}
	dir, _ := os.Getwd()
	if root := moduleRoot(dir); root != "" {
		dir, _ = filepath.Rel(root, dir)
	}
	return fmt.Sprintf("%s%s=%d go test -count=1%s -run '^%s$' ./%s", torture, SeedEnv, r.Seed,
		patience, strings.ReplaceAll(name, "/", "$/^"), dir)
}

// Aside returns a new directory on another file system than tests have their stores on, if there is
// one: for ledgers. It is removed when the test ends.
func Aside(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "purofs-ledgers.")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// moduleRoot is the directory at or above dir that holds go.mod, "" if there is none.
func moduleRoot(dir string) string {
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// Count publishes a figure. A number that was counted before is added to.
func (r *Run) Count(name string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, _ := r.counts[name].(int)
	r.counts[name] = before + n
}

// Note publishes a figure that is no count, in place of the one before.
func (r *Run) Note(name string, value any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[name] = value
}

// Require fails the test unless a check went well and found nothing.
func (r *Run) Require(report *Report, err error) {
	r.t.Helper()
	if err == nil {
		r.Count("acknowledged", int(report.Acknowledged))
		r.Count("records", int(report.Records))
		r.Count("unknown_and_there", int(report.Unknown))
		err = report.Err()
	}
	if err != nil {
		r.t.Fatalf("%v\nrun it again with: %s", err, r.Again())
	}
}

// A result is a line of the file of a test.
type result struct {
	Test       string         `json:"test"`
	Name       string         `json:"name"`
	Failed     bool           `json:"failed"`
	Torture    bool           `json:"torture"`
	Date       string         `json:"date"`
	Seconds    float64        `json:"seconds"`
	Seed       uint64         `json:"seed"`
	Kernel     string         `json:"kernel"`
	FileSystem string         `json:"file_system"`
	Counts     map[string]any `json:"counts"`
	Again      string         `json:"again"`
}

// finish tells how the run went.
func (r *Run) finish() {
	r.mu.Lock()
	counts := maps.Clone(r.counts)
	r.mu.Unlock()
	res := result{
		Test: r.id, Name: r.t.Name(), Failed: r.t.Failed(), Torture: Torture(),
		Date:    r.started.UTC().Format(time.RFC3339),
		Seconds: time.Since(r.started).Round(time.Millisecond).Seconds(),
		Seed:    r.Seed, Kernel: kernel(), FileSystem: fileSystem(os.TempDir()),
		Counts: counts, Again: r.Again(),
	}
	line, err := json.Marshal(res)
	if err != nil {
		r.t.Errorf("writing down a result: %v", err)
		return
	}
	if res.Failed {
		r.t.Logf("run it again with: %s", res.Again)
	}
	r.t.Logf("%s %v in %.1f s, seed %d", r.id, counts, res.Seconds, r.Seed)
	if dir := os.Getenv(ResultsEnv); dir != "" {
		if err := appendLine(dir, r.id, line); err != nil {
			r.t.Errorf("writing down a result: %v", err)
		}
	}
}

// appendLine appends a line to the file of a test in the directory of results.
func appendLine(dir, id string, line []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(dir, id+".json"),
		os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(append(line, '\n'))
	return err
}

func kernel() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err.Error()
	}
	return unix.ByteSliceToString(name.Release[:])
}

// fileSystems are names of those that tests run on; see statfs(2).
var fileSystems = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
	unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay",
}

func fileSystem(dir string) string {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return err.Error()
	}
	if name, known := fileSystems[st.Type]; known {
		return name
	}
	return fmt.Sprintf("%#x", st.Type)
}
