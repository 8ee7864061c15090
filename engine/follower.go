package engine

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"purofs/engine/disk"
)

// A follower tells the watches of this process about the appends of others. It runs as long as
// somebody waits, and a little longer. In between, nobody has to be told: every call looks at the
// log itself first.
type follower struct {
	running bool // this and events are guarded by Log.mu
	events  *os.File
	done    sync.WaitGroup
}

const (
	// followerPoll is how often the log is looked at without an event: the net for what inotify does
	// not report, such as an overlay whose lower layer changes.
	followerPoll = time.Second
	// followerRest is how long events are not read after some that were only our own appends, which
	// themselves look at what others did.
	followerRest = time.Millisecond

	followerEvents = unix.IN_MODIFY | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM |
		unix.IN_DELETE | unix.IN_DELETE_SELF | unix.IN_ONLYDIR
)

// need makes sure that the follower runs. Log.mu is held.
func (f *follower) need(l *Log) {
	if f.running {
		return
	}
	events, err := watchDirectory(l.dir)
	if err != nil {
		// Not fatal, but slow: the poll remains. There are limits on inotify instances, see inotify(7).
		l.opts.Logger.Warn().Err(err).Msg("no inotify: appends of other processes are seen once a second")
	}
	f.running, f.events = true, events
	f.done.Add(1)
	go func() {
		defer f.done.Done()
		f.run(l, events)
	}()
	// What others appended before the directory was watched, nothing will tell of.
	if err := l.refresh(); err != nil {
		l.trouble(err)
	}
}

// stop ends the follower and waits for it. The log is closed, so run ends at its next event.
func (f *follower) stop(l *Log) {
	l.mu.Lock()
	if f.events != nil {
		_ = f.events.SetReadDeadline(time.Now()) // an event of a kind; the file is run's to close
	}
	l.mu.Unlock()
	f.done.Wait()
}

// watchDirectory returns an inotify descriptor for the store's directory.
func watchDirectory(dir *disk.Dir) (*os.File, error) {
	d, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("inotify_init1: %w", err)
	}
	// By descriptor, so that a directory that was renamed meanwhile is still the right one.
	path := fmt.Sprintf("/proc/self/fd/%d", d.Fd())
	if _, err := unix.InotifyAddWatch(fd, path, followerEvents); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("inotify_add_watch: %w", err)
	}
	return os.NewFile(uintptr(fd), "inotify"), nil
}

// run looks at the log at each event until nobody has waited for the time of a poll.
func (f *follower) run(l *Log, events *os.File) {
	if events != nil {
		defer events.Close()
	}
	buf := make([]byte, 64<<10)
	idle := false
	for {
		named := await(l, events, buf)
		l.mu.Lock()
		if l.closed || idle && l.waiting == 0 {
			f.running, f.events = false, nil
			l.mu.Unlock()
			return
		}
		idle = l.waiting == 0
		before := l.place()
		if named {
			l.linked = time.Time{}
			l.noticeSegments()
		}
		if err := l.refresh(); err != nil {
			l.trouble(err)
			if errors.Is(err, ErrVanished) {
				l.fireAll()
			}
		}
		foreign := l.place() != before
		l.unlockAndWake()
		if !foreign && events != nil {
			time.Sleep(followerRest)
		}
	}
}

// await waits for events and tells whether one was about the name of a segment.
func await(l *Log, events *os.File, buf []byte) (named bool) {
	if events == nil {
		select {
		case <-l.quit:
		case <-time.After(followerPoll):
		}
		return true
	}
	l.mu.Lock()
	if !l.closed { // otherwise stop's deadline stays
		_ = events.SetReadDeadline(time.Now().Add(followerPoll))
	}
	l.mu.Unlock()
	n, err := events.Read(buf) // an error means that the time of a poll is over
	if err != nil {
		return true
	}
	return segmentsChanged(buf[:n])
}

// segmentsChanged tells whether one of the events, see inotify(7), is about a name.
func segmentsChanged(events []byte) bool {
	for len(events) >= unix.SizeofInotifyEvent {
		e := (*unix.InotifyEvent)(unsafe.Pointer(&events[0]))
		if e.Mask&^unix.IN_MODIFY != 0 {
			return true
		}
		events = events[min(len(events), unix.SizeofInotifyEvent+int(e.Len)):]
	}
	return false
}

// fireAll wakes everybody. Log.mu is held.
func (l *Log) fireAll() {
	for t := range l.watched {
		l.fire(t, true)
	}
}

// noticeSegments goes on to a newer segment where the active one has no tombstone: another program
// may start one without. Log.mu is held.
func (l *Log) noticeSegments() {
	if err := l.listSegments(); err != nil || len(l.segments) == 0 {
		return // refresh will say what happened to the active one
	}
	if l.segments[len(l.segments)-1] <= l.active.Order() || l.refresh() != nil {
		return
	}
	for {
		if left, err := l.isLeft(); err != nil || !left {
			return
		}
		if err := l.activate(l.after(l.active.Order()), 0); err != nil || l.refresh() != nil {
			return
		}
	}
}

// A place is a position in the log.
type place struct {
	order uint32
	pos   int64
}

// place is the tail's. Log.mu is held.
func (l *Log) place() place { return place{l.active.Order(), l.scan.Pos()} }
