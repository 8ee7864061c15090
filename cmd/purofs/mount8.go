package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"
)

// systemPath is where programs are when nobody says where.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// A mount8Command is the program called without a command: as a teacher, or by mount(8), whose
// helper runs "purofs STORE MOUNTPOINT -o OPTIONS" for "mount -t fuse.purofs" and lines of fstab,
// and expects to get back when the mount answers.
type mount8Command struct {
	mount mountCommand
}

func newMount8Command(env *environment) *cobra.Command {
	c := &mount8Command{mountCommand{env: env, daemon: true, readyFD: noReadyFD}}
	cmd := &cobra.Command{
		Use:   "purofs",
		Short: "Event logs as files",
		Long: `Purofs is an event log without a broker: append-only files that any number of processes
share, shown as a file system. A store holds topics, a topic is a directory, a line is a record.

  purofs mount --daemon ~/events /mnt/ev     mount a store; it is made if there is none
  mkdir /mnt/ev/orders                       make a topic
  echo 'two coffees' >> /mnt/ev/orders/append    write: every line is a record
  cat /mnt/ev/orders/log                     read all there is
  cat /mnt/ev/orders/stream                  the same, then wait for more
  cat /mnt/ev/orders/from/-10                the last ten, then wait for more
  purofs umount /mnt/ev

Without a mount:

  seq 3 | purofs append ~/events numbers     every line of the input is a record
  purofs cat ~/events numbers --follow       print the records, then wait for more`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Run(cmd.Context(), cmd, args)
		},
		SilenceErrors:              true,
		SilenceUsage:               true,
		DisableFlagsInUseLine:      true,
		SuggestionsMinimumDistance: 2,
	}
	cmd.Version = describeProgram()
	cmd.SetVersionTemplate("{{.Version}}\n")
	cmd.Flags().StringArrayVarP(&c.mount.options, "option", "o", nil, "")
	_ = cmd.Flags().MarkHidden("option")
	return cmd
}

// Run mounts if the command line has the form that mount(8) uses. The -o, which is always there,
// tells it from a mistyped command.
func (c *mount8Command) Run(ctx context.Context, cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 2 && len(c.mount.options) > 0:
		if err := arguments("STORE", "MOUNTPOINT")(cmd, args); err != nil {
			return err
		}
		if _, found := os.LookupEnv("PATH"); !found {
			// mount(8) runs its helpers without it; fusermount3 has to be found all the same.
			if err := os.Setenv("PATH", systemPath); err != nil {
				return err
			}
		}
		return c.mount.Run(ctx, args[0], args[1])
	case len(args) == 0:
		return cmd.Help()
	}
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		return usageErrorf("unknown command %.64q; did you mean: purofs %s", args[0], like[0])
	}
	return usageErrorf("unknown command %.64q; see: purofs help", args[0])
}
