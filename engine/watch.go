package engine

// A watch is somebody who waits for a record.
type watch struct {
	topic *topicState
	next  uint64
	wake  func()
	place int // in topic.watches, -1 once it is not there any more
}

// Watch calls wake once, from any goroutine, as soon as the topic has a record with an offset of at
// least next, or is deleted, or the log is closed; at once if that is so already. The topic need
// not exist yet. wake may use the log, but must not append to it or wait for anything: it may be
// called by an append that is about to return.
//
// The function that it returns ends the watch early, and tells whether wake will never be called.
func (l *Log) Watch(topic string, next uint64, wake func()) (stop func() bool) {
	l.mu.Lock()
	w := &watch{next: next, wake: wake, place: -1}
	if l.closed || l.refresh() != nil {
		l.due = append(l.due, wake)
	} else {
		w.topic = l.table.get([]byte(topic))
		w.place = len(w.topic.watches)
		w.topic.watches = append(w.topic.watches, w)
		l.watched[w.topic] = struct{}{}
		l.waiting++
		if w.topic.Next > next || w.topic.Deleted {
			l.fire(w.topic, w.topic.Deleted)
		} else {
			l.follower.need(l)
		}
	}
	l.unlockAndWake()
	return func() bool { return l.unwatch(w) }
}

func (l *Log) unwatch(w *watch) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.place < 0 {
		return false
	}
	l.removeWatch(w)
	l.table.forget(w.topic)
	return true
}

// removeWatch takes a watch out of its topic. Log.mu is held.
func (l *Log) removeWatch(w *watch) {
	watches := w.topic.watches
	last := watches[len(watches)-1]
	watches[w.place] = last
	last.place = w.place
	watches[len(watches)-1] = nil
	w.topic.watches = watches[:len(watches)-1]
	if len(w.topic.watches) == 0 {
		delete(l.watched, w.topic)
	}
	w.place = -1
	l.waiting--
}

// fire makes the wakes due that the topic's newest records call for, or all of them.
func (l *Log) fire(t *topicState, all bool) {
	for i := len(t.watches) - 1; i >= 0; i-- {
		if w := t.watches[i]; all || t.Next > w.next {
			l.removeWatch(w)
			l.due = append(l.due, w.wake)
		}
	}
}

// fireDeleted wakes those who wait at a topic that is gone.
func (l *Log) fireDeleted() {
	for t := range l.watched {
		if t.Deleted {
			l.fire(t, true)
		}
	}
}
