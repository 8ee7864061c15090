package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	// A file size limit of the process has to reach the writer as an error, EFBIG, which takes back
	// what was begun of a block. The signal that comes with it would end the process before.
	signal.Ignore(syscall.SIGXFSZ)
	env := &environment{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(run(context.Background(), env, os.Args[1:]))
}

// run executes one command line and returns the exit status.
func run(ctx context.Context, env *environment, args []string) int {
	root := newRootCommand(env)
	root.SetArgs(args)
	return exitStatus(env.err, root.ExecuteContext(ctx))
}

// newRootCommand assembles the program.
func newRootCommand(env *environment) *cobra.Command {
	root := newMount8Command(env)
	root.PersistentFlags().StringVar(&env.logLevel, "log-level", "",
		"least level to log: trace, debug, info, warn, error or off (default warn, mount: info)")
	_ = root.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions(
		[]string{"trace", "debug", "info", "warn", "error", "off"}, cobra.ShellCompDirectiveNoFileComp))
	root.SetIn(env.in)
	root.SetOut(env.out)
	root.SetErr(env.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageErrorf("%w; see: %s --help", err, cmd.CommandPath())
	})
	root.AddGroup(
		&cobra.Group{ID: groupMount, Title: "The file system:"},
		&cobra.Group{ID: groupStore, Title: "The store itself, mounted or not:"},
	)
	root.AddCommand(
		newMountCommand(env),
		newUmountCommand(),
		newAppendCommand(env),
		newCatCommand(env),
		newTopicsCommand(env),
		newVerifyCommand(env),
		newDumpCommand(env),
		newRepairCommand(env),
		newVersionCommand(env),
	)
	return root
}

// Groups of commands in the help.
const (
	groupMount = "mount"
	groupStore = "store"
)
