package nodes

import (
	"github.com/hanwen/go-fuse/v2/fuse"
)

// A contentHandle is an open file whose text was made when it was opened.
type contentHandle struct {
	text  []byte
	share share // of the tree's room for texts
}

func (h *contentHandle) read(in *fuse.ReadIn, req ReadRequest) {
	if in.Offset >= uint64(len(h.text)) {
		req.Reply(0)
		return
	}
	req.Reply(copy(req.Buffer(), h.text[in.Offset:]))
}

func (h *contentHandle) poll(*PollIn) uint32 { return pollIn }

func (h *contentHandle) release() { h.share.resize(0) }
