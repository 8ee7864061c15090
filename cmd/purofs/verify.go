package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"purofs/engine"
)

// A verifyCommand checks every byte of a store.
type verifyCommand struct {
	env  *environment
	json bool
}

func newVerifyCommand(env *environment) *cobra.Command {
	c := &verifyCommand{env: env}
	cmd := &cobra.Command{
		Use:     "verify STORE",
		GroupID: groupStore,
		Short:   "Check every byte of a store",
		Long: `Verify reads a whole store and says what state it is in. It changes nothing and can run
while the store is in use.

The end of a store is "clean"; "open" while an append is under way; "sealed" between two
segments; or "torn" by an append whose process died. A torn end is no damage: nothing of it was
ever promised, and the next append removes it. Damage, bytes that are not what was written, is
listed with its place, and makes the exit status 3; so are cursors whose positions cannot be read.
Notes are about what is no damage but worth knowing: files that are of no use, topic indexes that
will be made again, and bytes that a repair has replaced.`,
		Example: `  purofs verify /srv/events
  purofs verify --json /srv/events | jq '.damage[]'`,
		Args:              arguments("STORE"),
		ValidArgsFunction: completeDirectories(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Run(cmd.Context(), args[0])
		},
	}
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON")
	return cmd
}

// Run checks and prints what was found.
func (c *verifyCommand) Run(ctx context.Context, store string) error {
	progress, endProgress := c.env.progress("verify")
	report, err := engine.Verify(ctx, store, progress)
	endProgress()
	if err != nil {
		return hintMissingStore(err)
	}
	if c.json {
		err = c.printJSON(store, report)
	} else {
		err = c.printTable(store, report)
	}
	if err != nil {
		return outputError(err)
	}
	if !report.Sound() {
		return errDamageFound
	}
	return nil
}

func (c *verifyCommand) printTable(store string, report engine.VerifyReport) error {
	table := tabwriter.NewWriter(c.env.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "store\t%s\n", store)
	fmt.Fprintf(table, "segments\t%d\n", report.Segments)
	fmt.Fprintf(table, "bytes\t%d\n", report.Bytes)
	fmt.Fprintf(table, "topics\t%d\n", report.Topics)
	fmt.Fprintf(table, "blocks\t%d\n", report.Blocks)
	fmt.Fprintf(table, "records\t%d\n", report.Records)
	fmt.Fprintf(table, "cursors\t%d\n", report.Cursors)
	fmt.Fprintf(table, "end\t%s\n", report.Tail)
	if report.TornBytes > 0 {
		fmt.Fprintf(table, "torn\t%d bytes that the next append removes and keeps in lost/\n",
			report.TornBytes)
	}
	if report.Sound() {
		fmt.Fprintln(table, "damage\tnone")
	}
	for _, damage := range report.Damage {
		fmt.Fprintf(table, "damage\t%v\n", damage)
	}
	for _, damage := range report.CursorDamage {
		fmt.Fprintf(table, "damage\tcursor %s: %s; repair moves it out of the way\n",
			printable(damage.File), damage.Reason)
	}
	for _, note := range report.Notes {
		fmt.Fprintf(table, "note\t%s\n", note)
	}
	return table.Flush()
}

// A verifyLine is a report as JSON.
type verifyLine struct {
	Store        string       `json:"store"`
	Sound        bool         `json:"sound"`
	Segments     int          `json:"segments"`
	Bytes        int64        `json:"bytes"`
	Topics       int          `json:"topics"`
	Blocks       int64        `json:"blocks"`
	Records      int64        `json:"records"`
	Cursors      int          `json:"cursors"`
	End          string       `json:"end"`
	TornBytes    int64        `json:"torn_bytes"`
	Damage       []damageLine `json:"damage"`
	CursorDamage []cursorLine `json:"cursor_damage"`
	Notes        []string     `json:"notes"`
}

// A damageLine is one damaged place as JSON.
type damageLine struct {
	Segment uint32 `json:"segment"`
	From    int64  `json:"from"`
	To      *int64 `json:"to"` // null if the rest of the segment is damaged
	Reason  string `json:"reason"`
}

// A cursorLine is a damaged cursor as JSON.
type cursorLine struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

func (c *verifyCommand) printJSON(store string, report engine.VerifyReport) error {
	line := verifyLine{
		Store:        store,
		Sound:        report.Sound(),
		Segments:     report.Segments,
		Bytes:        report.Bytes,
		Topics:       report.Topics,
		Blocks:       report.Blocks,
		Records:      report.Records,
		Cursors:      report.Cursors,
		End:          report.Tail,
		TornBytes:    report.TornBytes,
		Damage:       damageLines(report.Damage),
		CursorDamage: cursorLines(report.CursorDamage),
		Notes:        append([]string{}, report.Notes...),
	}
	encoder := json.NewEncoder(c.env.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(line)
}

// damageLines are damaged places as JSON.
func damageLines(damage []*engine.DamageError) []damageLine {
	lines := []damageLine{}
	for _, d := range damage {
		line := damageLine{Segment: d.Segment, From: d.Pos, Reason: d.Reason}
		if d.End >= 0 {
			line.To = &d.End
		}
		lines = append(lines, line)
	}
	return lines
}

// cursorLines are damaged cursors as JSON.
func cursorLines(damage []engine.CursorDamage) []cursorLine {
	lines := []cursorLine{}
	for _, d := range damage {
		lines = append(lines, cursorLine(d))
	}
	return lines
}
