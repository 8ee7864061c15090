package nodes

import "github.com/hanwen/go-fuse/v2/fuse"

// What would change the tree in any other way than the four that topics have is refused with EPERM.
// Without these methods the answer would be ENOSYS, which the kernel takes to mean that it should
// try something else (CREATE becomes MKNOD), or pretends is another error.

// refuse takes note of a call that can never be done, and is its answer.
func (t *Tree) refuse(id uint64, call string) fuse.Status {
	t.refused(t.topics.node(id).topicName(), call, errNotAllowed)
	return fuse.Status(errnoOf(errNotAllowed))
}

// Mknod is refused.
func (t *Tree) Mknod(
	_ <-chan struct{}, in *fuse.MknodIn, _ string, _ *fuse.EntryOut,
) fuse.Status {
	return t.refuse(in.NodeId, "mknod")
}

// Create is refused: the files of a topic are all there are.
func (t *Tree) Create(
	_ <-chan struct{}, in *fuse.CreateIn, _ string, _ *fuse.CreateOut,
) fuse.Status {
	return t.refuse(in.NodeId, "create")
}

// Tmpfile is refused.
func (t *Tree) Tmpfile(_ <-chan struct{}, in *fuse.CreateIn, _ *fuse.CreateOut) fuse.Status {
	return t.refuse(in.NodeId, "tmpfile")
}

// Unlink is refused.
func (t *Tree) Unlink(_ <-chan struct{}, in *fuse.InHeader, _ string) fuse.Status {
	return t.refuse(in.NodeId, "unlink")
}

// Rename is refused.
func (t *Tree) Rename(_ <-chan struct{}, in *fuse.RenameIn, _, _ string) fuse.Status {
	return t.refuse(in.NodeId, "rename")
}

// Link is refused.
func (t *Tree) Link(_ <-chan struct{}, in *fuse.LinkIn, _ string, _ *fuse.EntryOut) fuse.Status {
	return t.refuse(in.NodeId, "link")
}

// Symlink is refused.
func (t *Tree) Symlink(
	_ <-chan struct{}, in *fuse.InHeader, _, _ string, _ *fuse.EntryOut,
) fuse.Status {
	return t.refuse(in.NodeId, "symlink")
}

// SetXAttr is refused.
func (t *Tree) SetXAttr(_ <-chan struct{}, in *fuse.SetXAttrIn, _ string, _ []byte) fuse.Status {
	return t.refuse(in.NodeId, "setxattr")
}

// RemoveXAttr is refused.
func (t *Tree) RemoveXAttr(_ <-chan struct{}, in *fuse.InHeader, _ string) fuse.Status {
	return t.refuse(in.NodeId, "removexattr")
}

// Fallocate is refused. Tools that copy files with holes in them make the holes with it.
func (t *Tree) Fallocate(_ <-chan struct{}, in *fuse.FallocateIn) fuse.Status {
	if h, ok := t.handles.get(in.Fh).(*appendHandle); ok {
		h.giveUp()
	}
	return t.refuse(in.NodeId, "fallocate")
}
