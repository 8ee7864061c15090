package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"purofs/fs"
)

// unmountTimeout bounds the end of a mount: readers are let go at once, so only an append that
// waits for another process's lock, or a slow disk, can take longer than a moment.
const unmountTimeout = 10 * time.Second

// A mountCommand shows a store as a file system until it is unmounted.
type mountCommand struct {
	env     *environment
	options []string
	daemon  bool
	logFile string
	readyFD int // where a daemon tells the process that started it that the mount answers, or -1
}

func newMountCommand(env *environment) *cobra.Command {
	c := &mountCommand{env: env, readyFD: noReadyFD}
	cmd := &cobra.Command{
		Use:     "mount STORE MOUNTPOINT",
		GroupID: groupMount,
		Short:   "Show a store as files",
		Long: `Mount shows the store in the directory STORE as files under MOUNTPOINT. A store that does
not exist is made. The mount stays in the foreground until Ctrl-C, SIGTERM or an unmount ends
it; with --daemon the command returns as soon as the mount answers.

Options, separated by commas (SIZE: bytes, or with k, M, G, T; TIME: 500ms, 5s, 1m):
` + optionHelp(storeOptions) + "\n" + optionHelp(viewOptions) + `

Any number of mounts and of other purofs commands can use one store at the same time.`,
		Example: `  purofs mount /srv/events /mnt/events
  purofs mount --daemon -o sync=always,auto_create /srv/events /mnt/events
  /srv/events  /mnt/events  fuse.purofs  sync=always,nofail  0 0      # a line of /etc/fstab`,
		Args:              arguments("STORE", "MOUNTPOINT"),
		ValidArgsFunction: completeDirectories(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Run(cmd.Context(), args[0], args[1])
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&c.options, "option", "o", nil,
		"`OPTIONS` of the mount, separated by commas")
	flags.BoolVar(&c.daemon, "daemon", false,
		"return when the mount answers, and go on in the background")
	flags.StringVar(&c.logFile, "log-file", "", "append the log to `FILE` (default: standard error;"+
		" a daemon's is dropped once it is ready)")
	flags.IntVar(&c.readyFD, "ready-fd", noReadyFD, "")
	_ = flags.MarkHidden("ready-fd")
	_ = cmd.RegisterFlagCompletionFunc("option", completeOptions(storeOptions, viewOptions))
	return cmd
}

// Run mounts and, unless it only has to start a daemon, serves until the end of the mount.
func (c *mountCommand) Run(ctx context.Context, store, mountpoint string) error {
	options, err := parseMountOptions(c.options)
	if err != nil {
		return err
	}
	if store, err = filepath.Abs(store); err != nil {
		return err
	}
	if mountpoint, err = filepath.Abs(mountpoint); err != nil {
		return err
	}
	if c.daemon {
		return c.startDaemon(store, mountpoint)
	}
	logger, closeLog, err := c.openLog()
	if err != nil {
		return err
	}
	defer closeLog()
	return c.serve(ctx, fs.Config{
		Store:       store,
		Mountpoint:  mountpoint,
		Engine:      options.engine,
		AllowOther:  options.allowOther,
		AutoCreate:  options.autoCreate,
		AllowDelete: options.allowDelete,
		NoLive:      options.noLive,
		ReadOnly:    options.readOnly,
		Version:     versionString(),
		Logger:      logger,
	})
}

// serve mounts and returns when the mount has ended: by a signal, or by somebody's unmount.
func (c *mountCommand) serve(ctx context.Context, config fs.Config) error {
	// The reader of our log may go away; that must not take the mount with it.
	signal.Ignore(syscall.SIGPIPE)
	// For as long as the process lives: another signal finds the end under way and changes nothing.
	// To ignore it then, or to restore what it does, leaves a moment in which it ends the process.
	ctx, _ = signal.NotifyContext(ctx, endSignals()...)

	config.Engine.Logger = &config.Logger
	mount, err := fs.Mount(ctx, config)
	if err != nil {
		return fmt.Errorf("mount %s on %s: %w", config.Store, config.Mountpoint, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- mount.Wait() }()

	reportErr := c.reportReady(config)
	if reportErr == nil {
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
		}
	}
	config.Logger.Info().Str("mountpoint", config.Mountpoint).Msg("unmounting")
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), unmountTimeout)
	defer cancel()
	if err := mount.Unmount(limited); err != nil {
		return errors.Join(reportErr, fmt.Errorf("unmount %s: %w", config.Mountpoint, err))
	}
	return errors.Join(reportErr, <-ended)
}

// endSignals are the signals that unmount. Who runs a program under nohup(1) wants it to outlive
// the terminal, so an ignored hang-up stays ignored.
func endSignals() []os.Signal {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// reportReady tells everyone who waits for it that the mount answers. An error means that the
// process that asked for the mount is gone, so that it should not stay.
func (c *mountCommand) reportReady(config fs.Config) error {
	toPerson := c.readyFD == noReadyFD && isTerminal(c.env.err)
	if !toPerson || c.logFile != "" {
		config.Logger.Info().Str("store", config.Store).Str("mountpoint", config.Mountpoint).
			Str("version", config.Version).Msg("mounted")
	}
	if c.readyFD != noReadyFD {
		return reportToParent(c.readyFD, c.logFile)
	}
	if toPerson {
		fmt.Fprintf(c.env.err, "%s is mounted on %s. Ctrl-C, or purofs umount %[2]s, ends it.\n",
			config.Store, config.Mountpoint)
	}
	if err := notifyService(os.Getenv("NOTIFY_SOCKET")); err != nil {
		config.Logger.Warn().Err(err).Msg("the service manager was not told that the mount is ready")
	}
	return nil
}

// openLog opens the log that the flags ask for.
func (c *mountCommand) openLog() (logger zerolog.Logger, closeLog func() error, err error) {
	if c.logFile == "" {
		level := zerolog.InfoLevel
		if c.readyFD != noReadyFD {
			// All that can be seen of a daemon's log is what it says before it is ready: on the
			// terminal of someone who wants to know only what is wrong.
			level = zerolog.WarnLevel
		}
		logger, err = c.env.logger(c.env.err, level)
		return logger, func() error { return nil }, err
	}
	file, err := openLogFile(c.logFile)
	if err != nil {
		return zerolog.Nop(), nil, fmt.Errorf("open the log file: %w", err)
	}
	logger, err = c.env.logger(file, zerolog.InfoLevel)
	return logger, file.Close, err
}

// openLogFile opens a file so that several processes can append to it, and a rotation by copying
// and truncating leaves no hole.
func openLogFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
}
