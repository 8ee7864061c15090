package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"purofs/engine"
)

// catBufferBytes is the size of the pieces that go to standard output.
const catBufferBytes = 256 << 10

// A catCommand prints the records of a topic.
type catCommand struct {
	env    *environment
	from   string
	follow bool
	count  int64 // records to print at most, negative for all
}

func newCatCommand(env *environment) *cobra.Command {
	c := &catCommand{env: env}
	cmd := &cobra.Command{
		Use:     "cat STORE TOPIC",
		GroupID: groupStore,
		Short:   "Print the records of a topic",
		Long: `Cat prints each record of a topic as a line. It ends after the newest record; with --follow
it waits for more until it is interrupted, also for a topic that does not exist yet.

A position for --from is "start", "end", an offset such as 42, the last n records such as -10,
a time such as 2026-11-22T10:00:00Z or @1763800000, or an age such as 10m, 2h or 3d.

Where the store is damaged the place is reported, what is sound behind it is printed, and the
exit status is 1.`,
		Example: `  purofs cat /srv/events orders
  purofs cat /srv/events orders --from -10 --follow
  purofs cat /srv/events orders --from 2h | grep coffee
  purofs cat /srv/events orders --from end --follow -n 1     # wait for one record`,
		Args:              arguments("STORE", "TOPIC"),
		ValidArgsFunction: completeTopic,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Run(cmd.Context(), args[0], args[1])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.from, "from", "start", "`POSITION` of the first record to print")
	flags.BoolVarP(&c.follow, "follow", "f", false, "wait for more at the end")
	flags.Int64VarP(&c.count, "count", "n", -1, "print at most `COUNT` records, -1 for all")
	_ = cmd.RegisterFlagCompletionFunc("from", completePosition)
	return cmd
}

// Run prints.
func (c *catCommand) Run(ctx context.Context, store, topic string) error {
	from, err := engine.ParsePosition(c.from, time.Now())
	if err != nil {
		return usageErrorf("--from: %w", err)
	}
	log, err := c.env.openToRead(ctx, store)
	if err != nil {
		return err
	}
	defer log.Close()
	reader, err := c.openReader(log, topic, from)
	if err != nil {
		return fmt.Errorf("read %s: %w", store, err)
	}
	defer reader.Close()
	if c.follow {
		watched, release, err := whileRead(ctx, c.env.out)
		if err != nil {
			return err
		}
		defer release()
		ctx = watched
	}
	return c.print(ctx, reader)
}

// openReader opens a topic, which has to exist unless it can be waited for.
func (c *catCommand) openReader(
	log *engine.Log, topic string, from engine.Position,
) (*engine.Reader, error) {
	if !c.follow {
		if _, err := log.Topic(topic); err != nil {
			return nil, err
		}
	}
	return log.OpenReader(topic, from)
}

// print copies records to standard output. Nothing is held back while it waits for more.
func (c *catCommand) print(ctx context.Context, reader *engine.Reader) error {
	out := bufio.NewWriterSize(c.env.out, catBufferBytes)
	var damaged error
	for left := c.count; left != 0; {
		record, err := reader.TryNext()
		switch {
		case err == nil:
			left--
			out.Write(record.Value)
			if err := out.WriteByte('\n'); err != nil {
				return outputError(err)
			}
		case errors.Is(err, engine.ErrDamaged):
			fmt.Fprintf(c.env.err, "purofs: %v%s\n", err, adviceFor(err))
			damaged = errReported
		case !errors.Is(err, engine.ErrNoRecord):
			return errors.Join(fmt.Errorf("read: %w", err), outputError(out.Flush()))
		case !c.follow:
			left = 0
		default:
			if err := out.Flush(); err != nil {
				return outputError(err)
			}
			if err := reader.Wait(ctx); err != nil {
				return fmt.Errorf("wait for records: %w", cmp.Or(context.Cause(ctx), err))
			}
		}
	}
	if err := out.Flush(); err != nil {
		return outputError(err)
	}
	return damaged
}
