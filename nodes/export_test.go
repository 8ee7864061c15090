package nodes

import "syscall"

// Seams for the tests of package nodes_test.

var (
	ErrnoFor  = errnoFor
	ShownName = shownName
	TopicName = topicName
)

// TableErrors are the errors in the table of errno.go, in its order.
func TableErrors() []error {
	errs := make([]error, 0, len(errnos))
	for _, row := range errnos {
		errs = append(errs, row.err)
	}
	return errs
}

// Tree's own errors.
var (
	ErrRemoved       = errRemoved
	ErrNotAllowed    = errNotAllowed
	ErrDeleteOff     = errDeleteOff
	ErrBeyondEnd     = errBeyondEnd
	ErrOvertaken     = errOvertaken
	ErrLost          = errLost
	ErrNoRecord      = errNoRecord
	ErrRecordRemoved = errRecordRemoved
	ErrCarryFull     = errCarryFull
	ErrTooManyOpen   = errTooManyOpen
	ErrNotInOrder    = errNotInOrder
	ErrNameTooLong   = errNameTooLong
	ErrBadPosition   = errBadPosition
	ErrMoved         = errMoved
	ErrUnread        = errUnread
	ErrShutDown      = errShutDown
)

// Errno is errnoOf.
func Errno(err error) syscall.Errno { return errnoOf(err) }

// Sizes tells how much the tree remembers: topics, nodes with names of their own, open handles and
// waiting reads.
func (t *Tree) Sizes() (topics, named, handles, waiting int) {
	t.topics.mu.Lock()
	topics, named = len(t.topics.byNumber), len(t.topics.named)
	t.topics.mu.Unlock()
	handles = len(t.handles.all())
	t.waiters.mu.Lock()
	waiting = len(t.waiters.waiters)
	t.waiters.mu.Unlock()
	return topics, named, handles, waiting
}

// Carried is how many bytes of unfinished lines the tree counts.
func (t *Tree) Carried() int64 { return t.carried.total() }

// LimitNamed bounds how many nodes with names of their own the kernel may remember.
func (t *Tree) LimitNamed(n int) { t.topics.namedMax = n }

// LimitTexts bounds what texts and listings of all handles take.
func (t *Tree) LimitTexts(bytes int64) { t.texts.limit = bytes }

// Texts is how many bytes of texts and listings the tree counts.
func (t *Tree) Texts() int64 { return t.texts.total() }

// LimitHeld bounds what of the log all handles hold.
func (t *Tree) LimitHeld(bytes int) { t.held.limit = bytes }

// Held is how many bytes of the log the tree counts.
func (t *Tree) Held() int {
	t.held.mu.Lock()
	defer t.held.mu.Unlock()
	return t.held.bytes
}

// ValuesHeld is how many bytes of values the tree counts.
func (t *Tree) ValuesHeld() int64 { return t.valueBytes.Load() }

// SetValuesHeld pretends that other handles hold that much.
func (t *Tree) SetValuesHeld(bytes int64) { t.valueBytes.Store(bytes) }

// SetCarried pretends that handles of many other users carry that much.
func (t *Tree) SetCarried(bytes int64) { t.carried.add(1<<32-1, bytes) }
