package nodes

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
)

// The extended attributes of a record, as a file under records/ or keys/.
const (
	xattrPrefix = "user.puro."
	xattrKey    = xattrPrefix + "key" // any bytes; absent if the record has no key
	xattrOffset = xattrPrefix + "offset"
	xattrTime   = xattrPrefix + "time" // RFC 3339 with nanoseconds, UTC
)

// An xattr is one extended attribute.
type xattr struct {
	name  string
	value []byte
}

// xattrs returns the extended attributes of a node. Only records have any. Those of a key are known
// without its value: tools that list a directory ask for them.
func (t *Tree) xattrs(cancel <-chan struct{}, n node) (list []xattr, err error) {
	switch n.kind {
	case kindKey:
		var key engine.KeyInfo
		if key, err = t.key(cancel, n); err == nil {
			list = xattrsOf([]byte(key.Key), key.Offset, key.Time)
		}
	case kindRecord:
		var offset uint64
		if offset, err = t.offsetOf(cancel, n); err == nil {
			err = t.readRecord(n.topic, offset, func(r *engine.Record) error {
				list = xattrsOf(bytes.Clone(r.Key), r.Offset, r.Time)
				return nil
			})
		}
	}
	return list, err
}

func xattrsOf(key []byte, offset uint64, at time.Time) (list []xattr) {
	if len(key) > 0 {
		list = append(list, xattr{xattrKey, key})
	}
	return append(list,
		xattr{xattrOffset, strconv.AppendUint(nil, offset, 10)},
		xattr{xattrTime, at.UTC().AppendFormat(nil, time.RFC3339Nano)})
}

// GetXAttr answers getxattr(2). It must not be ENOSYS for any node, or the kernel never asks again.
func (t *Tree) GetXAttr(
	cancel <-chan struct{}, in *fuse.InHeader, name string, dest []byte,
) (uint32, fuse.Status) {
	// Tools that list a directory ask each file for its labels and its access list.
	if !strings.HasPrefix(name, xattrPrefix) {
		return 0, fuse.ENOATTR
	}
	list, err := t.xattrs(cancel, t.topics.node(in.NodeId))
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
	cancel <-chan struct{}, in *fuse.InHeader, dest []byte,
) (uint32, fuse.Status) {
	list, err := t.xattrs(cancel, t.topics.node(in.NodeId))
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
