package nodes

import (
	"time"

	"purofs/engine"
	"purofs/nodes/codec"
)

// openFrom opens from/POSITION, of any format: a stream that begins there. The position is what it
// means at this moment; ages are reckoned from now.
func (t *Tree) openFrom(n node, nonblock bool) (*streamHandle, error) {
	position, format := codec.CutSuffix(n.name)
	from, err := engine.ParsePosition(position, time.Now())
	if err != nil {
		return nil, err
	}
	return t.openStreamAt(n.topic, format, from, nonblock)
}

// openStreamAt opens a stream that begins at a position.
func (t *Tree) openStreamAt(
	tp *topic, f codec.Format, from engine.Position, nonblock bool,
) (*streamHandle, error) {
	h, err := t.openStream(tp, f, nonblock)
	if err != nil {
		return nil, err
	}
	h.from = &from
	var info engine.TopicInfo
	if _, _, err := h.resolve(&info); err != nil {
		return nil, err
	}
	return h, nil
}

// resolve finds out where the file begins, and tells whether that is known: it is not as long as
// the record there is still to come, and next is its offset. info is brought up to date. h.mu is
// held.
func (h *streamHandle) resolve(info *engine.TopicInfo) (next uint64, known bool, err error) {
	if h.from == nil {
		return 0, true, nil
	}
	reader, err := h.tree.log.OpenReader(h.topic.name, *h.from)
	if err != nil {
		return 0, false, err
	}
	defer reader.Close()
	// The topic may have grown since it was last asked, but what it has now the reader can have
	// too.
	if *info, err = h.tree.info(h.topic); err != nil {
		return 0, false, err
	}
	if next = reader.Next(); next > info.Next {
		return next, false, nil
	}
	h.base, h.from = reader.Text(), nil
	if h.formatted != nil {
		h.formatted.begin(mark{record: next})
	}
	return 0, true, nil
}

// sizeFrom is how much text there is from a position on, in the plain format.
func (t *Tree) sizeFrom(n node, info *engine.TopicInfo) uint64 {
	if n.format() != codec.Plain {
		return 0
	}
	from, err := engine.ParsePosition(n.name, time.Now())
	if err != nil {
		return 0 // cannot be: it was looked up
	}
	reader, err := t.log.OpenReader(n.topic.name, from)
	if err != nil {
		t.refused(n.topic.name, "stat of from/"+n.name, err)
		return 0
	}
	defer reader.Close()
	if reader.Next() >= info.Next {
		return 0
	}
	return info.NextText - min(reader.Text(), info.NextText)
}
