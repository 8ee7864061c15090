package nodes

import (
	"errors"

	"github.com/hanwen/go-fuse/v2/fuse"

	"purofs/engine"
)

// key asks for the newest record of the key that a node of kindKey is. That may take as long as
// reading the topic, when it is asked for the first time; the kernel can cancel it.
func (t *Tree) key(cancel <-chan struct{}, n node) (engine.KeyInfo, error) {
	return t.log.Key(&fuse.Context{Cancel: cancel}, n.topic.name, n.name)
}

// appendKeys lists the keys of a topic that have a value, sorted. One whose name would be too long
// for the kernel is not listed.
func (t *Tree) appendKeys(
	cancel <-chan struct{}, list []dirEntry, tp *topic, info *engine.TopicInfo,
) ([]dirEntry, error) {
	keys, err := t.log.Keys(&fuse.Context{Cancel: cancel}, tp.name)
	if err != nil && !errors.Is(err, engine.ErrNoTopic) { // which may be but a name yet
		t.refused(tp.name, "readdir of keys", err)
		return nil, err
	}
	for _, key := range keys {
		if shown, ok := escapeName(key.Key); ok {
			list = append(list, dirEntry{
				node: node{kind: kindKey, topic: tp, name: key.Key}, name: shown,
				place: uint64(1 + len(list)), info: info,
			})
		}
	}
	return list, nil
}
