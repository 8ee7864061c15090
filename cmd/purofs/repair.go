package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"purofs/engine"
)

// A repairCommand mends a damaged store, or says how it would.
type repairCommand struct {
	env         *environment
	yes         bool
	json        bool
	lockTimeout time.Duration
}

func newRepairCommand(env *environment) *cobra.Command {
	c := &repairCommand{env: env}
	cmd := &cobra.Command{
		Use:     "repair STORE",
		GroupID: groupStore,
		Short:   "Mend a damaged store, or say how",
		Long: `Repair reads a whole store and says what it would do to make verify find nothing any more.
With --yes it does it. Without, nothing is changed, and the exit status is 3 if there is something
to do.

Damaged bytes are replaced, in their place, by blocks of the same size that say so: every sound
record stays where it is and keeps its offset, and offsets of lost records are not given out
again as far as anything still tells of them. A torn end is removed, as the next append would.
Complete segments get the tombstone they lack, and missing ones an empty stand-in. Whatever is
removed or replaced is kept in the store's directory lost/; "purofs dump" looks into it. A cursor
whose position cannot be read goes there too, and has to be made again. Only topic indexes that
are of no use are not kept: they are made again when they are needed.

It can run while the store is in use, and takes the same locks as appends do, one segment at a
time. If another process holds one for longer than --lock-timeout it ends and says which process
that is. It can be interrupted at any moment and started again.

Damage that no repair can mend is listed, and makes the exit status 3: blocks that are sound but
contradict each other, and bytes that somebody put between blocks, too few to put anything in
their place. Readers cope with both. So are damaged cursors by which somebody reads.`,
		Example: `  purofs repair /srv/events              # look
  purofs repair --yes /srv/events        # do it
  purofs verify /srv/events`,
		Args:              arguments("STORE"),
		ValidArgsFunction: completeDirectories(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Run(cmd.Context(), args[0])
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&c.yes, "yes", false, "do it")
	flags.BoolVar(&c.json, "json", false, "print JSON")
	flags.DurationVar(&c.lockTimeout, "lock-timeout", engine.LockTimeoutDefault,
		"how long to wait for another process, at each segment")
	return cmd
}

// Run repairs, or plans.
func (c *repairCommand) Run(ctx context.Context, store string) error {
	options := engine.Options{LockTimeout: c.lockTimeout} // the report says what a logger would
	if c.lockTimeout == 0 {
		options.LockTimeout = time.Millisecond
	}
	if err := options.Validate(); err != nil {
		return &usageError{err}
	}
	progress, endProgress := c.env.progress("repair")
	var report engine.RepairReport
	var err error
	if c.yes {
		report, err = engine.Repair(ctx, store, options, progress)
	} else {
		report, err = engine.PlanRepair(ctx, store, progress)
	}
	endProgress()
	// What was done before an error is printed, too.
	if err == nil || len(report.Steps) > 0 {
		if printErr := c.print(store, report); printErr != nil {
			err = errors.Join(err, outputError(printErr))
		}
	}
	if errors.Is(err, engine.ErrLocked) {
		return fmt.Errorf("%w%s", err, heldBy(store))
	}
	if err != nil {
		return hintMissingStore(err)
	}
	if len(report.Left)+len(report.LeftCursors) > 0 || !c.yes && len(report.Steps) > 0 {
		return errDamageFound
	}
	return nil
}

func (c *repairCommand) print(store string, report engine.RepairReport) error {
	if c.json {
		return c.printJSON(store, report)
	}
	table := tabwriter.NewWriter(c.env.out, 0, 0, 2, ' ', 0)
	for _, step := range report.Steps {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s", printable(step.File), placeOf(step), step.Found, step.Action)
		if step.Kept != "" {
			fmt.Fprintf(table, ", kept in %s", printable(step.Kept))
		}
		fmt.Fprintln(table)
	}
	for _, damage := range report.Left {
		fmt.Fprintf(table, "left\t%v\n", damage)
	}
	for _, damage := range report.LeftCursors {
		fmt.Fprintf(table, "left\tcursor %s: %s\n", printable(damage.File), damage.Reason)
	}
	switch {
	case len(report.Steps)+len(report.Left)+len(report.LeftCursors) == 0:
		fmt.Fprintln(table, "nothing to repair")
	case len(report.Steps) > 0 && !c.yes:
		fmt.Fprintf(table, "nothing was changed; to do it: purofs repair --yes %s\n", printable(store))
	}
	return table.Flush()
}

// placeOf says which bytes of a file a step is about.
func placeOf(step engine.RepairStep) string {
	switch {
	case step.Pos < 0:
		return "all of it"
	case step.End < 0:
		return fmt.Sprintf("byte %d to its end", step.Pos)
	case step.End == step.Pos:
		return fmt.Sprintf("at byte %d", step.Pos)
	}
	return fmt.Sprintf("bytes %d to %d", step.Pos, step.End)
}

// A repairLine is a report as JSON.
type repairLine struct {
	Store       string       `json:"store"`
	Done        bool         `json:"done"` // false for a plan
	Steps       []stepLine   `json:"steps"`
	Left        []damageLine `json:"left"`
	LeftCursors []cursorLine `json:"left_cursors"`
}

// A stepLine is one step of a repair as JSON.
type stepLine struct {
	File   string `json:"file"`
	From   *int64 `json:"from"` // null if it is about all of the file
	To     *int64 `json:"to"`   // null if it is about the rest of the file
	Found  string `json:"found"`
	Action string `json:"action"`
	Kept   string `json:"kept,omitempty"`
}

func (c *repairCommand) printJSON(store string, report engine.RepairReport) error {
	line := repairLine{
		Store: store, Done: c.yes, Steps: []stepLine{}, Left: damageLines(report.Left),
		LeftCursors: cursorLines(report.LeftCursors),
	}
	for _, step := range report.Steps {
		s := stepLine{File: step.File, Found: step.Found, Action: step.Action, Kept: step.Kept}
		if step.Pos >= 0 {
			s.From = &step.Pos
		}
		if step.End >= 0 {
			s.To = &step.End
		}
		line.Steps = append(line.Steps, s)
	}
	encoder := json.NewEncoder(c.env.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(line)
}
