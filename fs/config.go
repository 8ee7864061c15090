package fs

import (
	"github.com/rs/zerolog"

	"purofs/engine"
)

// A Config says what to mount, where and how. Store and Mountpoint are required; the zero value of
// the rest is useful.
type Config struct {
	// Store is the directory of the log. It is made if it does not exist.
	Store string
	// Mountpoint is an empty directory.
	Mountpoint string
	// Engine are the options of the log. Its ReadOnly is that of this Config.
	Engine engine.Options

	// AllowOther lets other users in, as far as the modes of the topics allow. Who is not root
	// needs user_allow_other in /etc/fuse.conf for it.
	AllowOther bool
	// AutoCreate lets any legal name be used as a topic, which it becomes by its first record.
	AutoCreate bool
	// AllowDelete lets rmdir remove a topic with its records.
	AllowDelete bool
	// NoLive leaves the files whose reading may wait for ever out of listings.
	NoLive bool
	// ReadOnly refuses every change, and writes nothing to the store.
	ReadOnly bool

	// Version is what status.json tells of the program.
	Version string
	// Logger gets what an operator should know. Silent by default.
	Logger zerolog.Logger
}

// options lists how the mount differs from a plain one, for people to read.
func (c *Config) options() []string {
	options := []string{"sync=" + c.Engine.Sync.String()}
	for _, option := range []struct {
		name string
		set  bool
	}{
		{"allow_delete", c.AllowDelete}, {"allow_other", c.AllowOther},
		{"auto_create", c.AutoCreate}, {"nolive", c.NoLive}, {"ro", c.ReadOnly},
	} {
		if option.set {
			options = append(options, option.name)
		}
	}
	return options
}
