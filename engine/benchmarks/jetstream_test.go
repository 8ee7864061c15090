package benchmarks

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// jetstreamWait bounds every wait for the server.
const jetstreamWait = time.Minute

type jetstreamStore struct {
	server *server.Server
	conns  []*nats.Conn
	stream jetstream.Stream
}

func openJetStream(dir string, opts options) (store, error) {
	srv, err := server.NewServer(&server.Options{
		JetStream: true, StoreDir: dir, SyncAlways: opts.synced,
		DontListen: true, NoLog: true, NoSigs: true,
	})
	if err != nil {
		return nil, err
	}
	srv.Start()
	if !srv.ReadyForConnections(jetstreamWait) {
		return nil, errors.New("the embedded NATS server does not start")
	}
	s := &jetstreamStore{server: srv}
	client, err := s.connect()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), jetstreamWait)
	defer cancel()
	s.stream, err = client.CreateStream(ctx, jetstream.StreamConfig{
		Name: topic, Subjects: []string{topic}, Storage: jetstream.FileStorage})
	return s, err
}

// connect returns a client of its own connection.
func (s *jetstreamStore) connect() (jetstream.JetStream, error) {
	conn, err := nats.Connect("", nats.InProcessServer(s.server))
	if err != nil {
		return nil, err
	}
	s.conns = append(s.conns, conn)
	return jetstream.New(conn)
}

func (s *jetstreamStore) producer() (appender, error) {
	client, err := s.connect()
	if err != nil {
		return nil, err
	}
	return func(records int) error {
		if records == 1 {
			_, err := client.Publish(context.Background(), topic, record)
			return err
		}
		for range records {
			if _, err := client.PublishAsync(topic, record); err != nil {
				return err
			}
		}
		select {
		case <-client.PublishAsyncComplete():
			return nil
		case <-time.After(jetstreamWait):
			return errors.New("the embedded NATS server does not acknowledge")
		}
	}, nil
}

func (s *jetstreamStore) read() (int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), jetstreamWait)
	defer cancel()
	info, err := s.stream.Info(ctx)
	if err != nil {
		return 0, err
	}
	consumer, err := s.stream.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return 0, err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return 0, err
	}
	defer messages.Stop()
	n := 0
	for range info.State.Msgs {
		if _, err := messages.Next(); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (s *jetstreamStore) Close() error {
	for _, conn := range s.conns {
		conn.Close()
	}
	s.server.Shutdown()
	s.server.WaitForShutdown()
	return nil
}
