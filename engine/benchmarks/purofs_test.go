package benchmarks

import (
	"context"
	"errors"
	"path/filepath"

	"purofs/engine"
)

const topic = "orders"

type purofsStore struct{ log *engine.Log }

func openPurofs(dir string, opts options) (store, error) {
	mode := engine.SyncNone
	if opts.synced {
		mode = engine.SyncAlways
	}
	log, err := engine.Open(context.Background(), filepath.Join(dir, "store"),
		engine.Options{Sync: mode, SegmentBytes: int64(opts.segmentBytes)})
	if err != nil {
		return nil, err
	}
	return purofsStore{log}, nil
}

func (s purofsStore) producer() (appender, error) { return s.producerOf(topic), nil }

// producerOf returns an appender for that topic.
func (s purofsStore) producerOf(topic string) appender {
	var batch engine.Batch
	return func(records int) error {
		batch.Reset()
		for range records {
			batch.Add(topic, nil, record)
		}
		return s.log.Append(context.Background(), &batch)
	}
}

func (s purofsStore) read() (int, error) { return s.readTopic(topic) }

// readTopic reads one of several topics.
func (s purofsStore) readTopic(topic string) (n int, err error) {
	r, err := s.log.OpenReader(topic, engine.Start())
	if err != nil {
		return 0, err
	}
	defer r.Close()
	for ; ; n++ {
		_, err := r.TryNext()
		if errors.Is(err, engine.ErrNoRecord) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func (s purofsStore) Close() error { return s.log.Close() }
