package fs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"purofs/engine"
	"purofs/fs/transport"
	"purofs/nodes"
)

// endGrace is how long who has a file open may go on with it when the mount ends: long enough to
// see the end of the file, or to finish an append.
const endGrace = time.Second

// A Mounted is a store that is mounted. Its methods are safe for concurrent use.
type Mounted struct {
	config Config
	log    *engine.Log
	tree   *nodes.Tree
	conn   *transport.Conn
	watch  *mountWatch
	device string // of the mount, as the mount table names it

	served   chan error // gets the end of conn.Serve
	stop     chan struct{}
	stopOnce sync.Once
	ended    chan struct{} // closed at the end of all
	err      error         // set before that
}

// Mount mounts a store and returns when the mount answers. ctx bounds the time until then; to end
// the mount call Unmount.
//
// The error matches ErrPlace if the mount point is of no use, one of engine.Open's if the store is,
// or is that of mount(2) or fusermount3.
func Mount(ctx context.Context, config Config) (*Mounted, error) {
	if config.Engine.Logger == nil {
		config.Engine.Logger = &config.Logger
	}
	config.Engine.ReadOnly = config.ReadOnly
	config, err := findPlace(ctx, config)
	if err != nil {
		return nil, err
	}
	log, err := engine.Open(ctx, config.Store, config.Engine)
	if err != nil {
		return nil, err
	}
	m := &Mounted{
		config: config, log: log,
		served: make(chan error, 1), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	if err := m.start(ctx); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	go m.run()
	return m, nil
}

// start mounts and waits for the kernel's first request. After an error nothing is left but the
// log.
func (m *Mounted) start(ctx context.Context) (err error) {
	if m.tree, err = m.newTree(); err != nil {
		return err
	}
	fd, err := m.attach()
	if err != nil {
		return err
	}
	m.conn = transport.New(fd, m.tree, m.config.Logger)
	m.tree.SetKernel(m.conn)
	go func() { m.served <- m.conn.Serve() }()

	select {
	case <-m.conn.Ready():
		return nil
	case err = <-m.served:
		m.served <- nil // for finish
		err = fmt.Errorf("the mount ended as it began: %w", cmp.Or(err, error(unix.ENODEV)))
	case <-ctx.Done():
		err = ctx.Err()
	}
	err = errors.Join(err, m.detach(), m.finish())
	m.watch.stop()
	m.tree.Shutdown()
	return err
}

// attach mounts and returns the open /dev/fuse that serves the mount.
func (m *Mounted) attach() (fd int, err error) {
	claim, err := claimPlace(m.config.Mountpoint)
	if err != nil {
		return -1, err
	}
	defer claim.Close()
	if fd, err = attach(&m.config); err != nil {
		return -1, err
	}
	if err := m.watchOwn(); err != nil {
		return -1, errors.Join(err, detach(m.config.Mountpoint), unix.Close(fd))
	}
	return fd, nil
}

// watchOwn finds our mount in the mount table and watches for its end.
func (m *Mounted) watchOwn() error {
	entries, err := readMountTable()
	if err != nil {
		return err
	}
	own, ok := topMount(entries, m.config.Mountpoint)
	if !ok || own.fsType != fsType {
		return fmt.Errorf("the mount on %s is not in %s", m.config.Mountpoint, mountTableName)
	}
	m.device = own.device
	m.watch, err = watchMount(own.device)
	return err
}

func (m *Mounted) newTree() (*nodes.Tree, error) {
	info, err := os.Stat(m.config.Store)
	if err != nil {
		return nil, err
	}
	owner := info.Sys().(*syscall.Stat_t)
	return nodes.NewTree(nodes.Config{
		Log:    nodes.EngineLog(m.log),
		Logger: &m.config.Logger,
		UID:    owner.Uid,
		GID:    owner.Gid,
		NewTopic: engine.TopicAttr{
			Mode: uint32(info.Mode().Perm()), UID: owner.Uid, GID: owner.Gid,
		},
		ValueBytes:  m.config.Engine.ValueBytes,
		ReadOnly:    m.config.ReadOnly,
		AutoCreate:  m.config.AutoCreate,
		AllowDelete: m.config.AllowDelete,
		NoLive:      m.config.NoLive,
		Version:     m.config.Version,
		Mountpoint:  m.config.Mountpoint,
		Options:     m.config.options(),
	}), nil
}

// run sees the mount through to its end.
func (m *Mounted) run() {
	defer close(m.ended)
	var detachErr, err error
	select {
	case err = <-m.served: // unmounted by somebody else, or cut off
		detachErr = m.detachDead()
	case <-m.watch.detached: // likewise, lazily: files are open
		m.tree.Shutdown()
		err = m.finish()
	case <-m.stop:
		m.tree.Shutdown()
		detachErr = m.detach()
		err = m.finish()
	}
	m.watch.stop()
	m.tree.Shutdown()
	m.err = errors.Join(detachErr, err, m.log.Close())
}

// detach unmounts what is still ours: where we mounted it, and under each name that it was given
// since, as by mount --bind and --move, for it would be dead there.
func (m *Mounted) detach() error {
	for {
		entries, err := readMountTable()
		if err != nil {
			return err
		}
		point, ok := m.ownPoint(entries)
		if !ok {
			return nil
		}
		if err := m.detachAt(point, entries); err != nil {
			return err
		}
	}
}

// ownPoint returns where our mount is: where we mounted it, unless it is only elsewhere.
func (m *Mounted) ownPoint(entries []mountEntry) (point string, ok bool) {
	for _, entry := range entries {
		if entry.device == m.device && (!ok || entry.point == m.config.Mountpoint) {
			point, ok = entry.point, true
		}
	}
	return point, ok
}

// detachAt unmounts what is ours on a directory.
func (m *Mounted) detachAt(point string, entries []mountEntry) error {
	top, ok := topMount(entries, point)
	switch {
	case !ok:
		return nil
	case top.device != m.device:
		return fmt.Errorf("something is mounted over %s (unmount it twice)", point)
	}
	return detach(point)
}

// detachDead unmounts what is still ours though the kernel has ended its connection, as an abort
// does: nobody could use the directory otherwise. The number of the device may be another mount's
// already, but not of one there that is dead too.
func (m *Mounted) detachDead() error {
	point := m.config.Mountpoint
	if !errors.Is(unix.Statfs(point, &unix.Statfs_t{}), unix.ENOTCONN) {
		return nil
	}
	m.config.Logger.Warn().Msg("the connection to the kernel was cut off")
	entries, err := readMountTable()
	if err != nil {
		return err
	}
	return m.detachAt(point, entries)
}

// finish waits until nothing of the mount is in use any more, but not for long.
func (m *Mounted) finish() error {
	grace := time.NewTimer(endGrace)
	defer grace.Stop()
	select {
	case err := <-m.served:
		return err
	case <-grace.C:
	}
	m.config.Logger.Warn().Dur("after", endGrace).Msg("the mount is still in use: cutting it off")
	if err := abort(m.device); err != nil {
		m.config.Logger.Warn().Err(err).Msg("the mount ends when nobody uses it any more")
	}
	return <-m.served
}

// Wait returns when the mount has ended and the log is closed: nil if that went well, whoever ended
// it.
func (m *Mounted) Wait() error {
	<-m.ended
	return m.err
}

// Unmount ends the mount: readers that wait see the end of the file, appends under way finish, the
// file system is unmounted, lazily if it is still in use, and the log is closed. It returns what
// Wait returns, or the error of ctx if that ends first; the mount ends nevertheless. It may be
// called again.
func (m *Mounted) Unmount(ctx context.Context) error {
	m.stopOnce.Do(func() { close(m.stop) })
	select {
	case <-m.ended:
		return m.err
	case <-ctx.Done():
		return fmt.Errorf("the mount on %s has not ended yet: %w", m.config.Mountpoint, ctx.Err())
	}
}

// UnmountPath unmounts a store that any process has mounted on a directory, lazily if it is in use.
// The process that serves it then lets waiting readers go and ends. An error matches ErrPlace if no
// store is mounted there.
func UnmountPath(mountpoint string) error {
	point, err := filepath.Abs(mountpoint)
	if err != nil {
		return err
	}
	entries, err := readMountTable()
	if err != nil {
		return err
	}
	top, ok := topMount(entries, point)
	if !ok {
		// Perhaps by another name. This comes second, for a hung mount does not answer.
		if point, err = followLinks(point); err != nil && !errors.Is(err, unix.ENOTCONN) {
			return err
		}
		top, ok = topMount(entries, point)
	}
	switch {
	case !ok:
		return placeError("nothing is mounted on %s", point)
	case top.fsType != fsType:
		return placeError("%s is a mount of type %s, not of purofs (use umount)", point, top.fsType)
	}
	return detach(point)
}
