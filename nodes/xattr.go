package nodes

import (
	"strconv"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
)

// The extended attributes of a record, as a file under records/ or keys/.
const (
	xattrKey    = "user.puro.key" // any bytes; absent if the record has no key
	xattrOffset = "user.puro.offset"
	xattrTime   = "user.puro.time" // RFC 3339 with nanoseconds, UTC
)

// An xattr is one extended attribute.
type xattr struct {
	name  string
	value []byte
}

// xattrs returns the extended attributes of a node. Only records have any.
func (t *Tree) xattrs(n node) (list []xattr, err error) {
	if n.kind != kindRecord {
		return nil, nil
	}
	offset, err := t.offsetOf(n)
	if err != nil {
		return nil, err
	}
	err = t.readRecord(n.topic, offset, func(r *engine.Record) error {
		if len(r.Key) > 0 {
			list = append(list, xattr{xattrKey, append([]byte(nil), r.Key...)})
		}
		list = append(list,
			xattr{xattrOffset, strconv.AppendUint(nil, r.Offset, 10)},
			xattr{xattrTime, r.Time.UTC().AppendFormat(nil, time.RFC3339Nano)})
		return nil
	})
	return list, err
}

// GetXAttr answers getxattr(2). It must not be ENOSYS for any node, or the kernel never asks again.
func (t *Tree) GetXAttr(
	_ <-chan struct{}, in *fuse.InHeader, name string, dest []byte,
) (uint32, fuse.Status) {
	list, err := t.xattrs(t.topics.node(in.NodeId))
	if err != nil {
		return 0, fuse.Status(errnoOf(err))
	}
	for _, attr := range list {
		if attr.name == name {
			return fillXattr(dest, attr.value)
		}
	}
	return 0, fuse.ENOATTR
}

// ListXAttr answers listxattr(2).
func (t *Tree) ListXAttr(
	_ <-chan struct{}, in *fuse.InHeader, dest []byte,
) (uint32, fuse.Status) {
	list, err := t.xattrs(t.topics.node(in.NodeId))
	if err != nil {
		return 0, fuse.Status(errnoOf(err))
	}
	var names []byte
	for _, attr := range list {
		names = append(append(names, attr.name...), 0)
	}
	return fillXattr(dest, names)
}

// fillXattr answers with text. Who asks with no room wants to know how much it takes.
func fillXattr(dest, text []byte) (uint32, fuse.Status) {
	if len(text) > len(dest) {
		return uint32(len(text)), fuse.ERANGE
	}
	return uint32(copy(dest, text)), fuse.OK
}
