package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"purofs/engine"
)

// A topicsCommand lists the topics of a store.
type topicsCommand struct {
	env  *environment
	json bool
}

func newTopicsCommand(env *environment) *cobra.Command {
	c := &topicsCommand{env: env}
	cmd := &cobra.Command{
		Use:     "topics STORE",
		Aliases: []string{"ls"},
		GroupID: groupStore,
		Short:   "List the topics of a store",
		Long: `Topics lists the topics of a store by name: how many records each has, the offset of the
oldest and of the one to come, the bytes of all as lines, the time of the newest, and the rights.

With --json each topic is one object on a line of its own. Its "bytes" is the size that the
topic's log has in a mount.`,
		Example: `  purofs topics /srv/events
  purofs topics --json /srv/events | jq -r 'select(.records > 1000) | .topic'`,
		Args:              arguments("STORE"),
		ValidArgsFunction: completeDirectories(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.Run(cmd.Context(), args[0])
		},
	}
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON, one object a line")
	return cmd
}

// Run lists.
func (c *topicsCommand) Run(ctx context.Context, store string) error {
	log, err := c.env.openToRead(ctx, store)
	if err != nil {
		return err
	}
	defer log.Close()
	if c.json {
		return c.printJSON(log.Topics())
	}
	return c.printTable(log.Topics())
}

func (c *topicsCommand) printTable(topics []engine.TopicInfo) error {
	table := tabwriter.NewWriter(c.env.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPIC\tRECORDS\tFIRST\tNEXT\tBYTES\tNEWEST\tMODE\tOWNER")
	for _, topic := range topics {
		newest := "-"
		if !topic.Time.IsZero() {
			newest = topic.Time.Local().Format(time.DateTime)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\t%04o\t%d:%d\n", printable(topic.Name),
			topic.Next-topic.First, topic.First, topic.Next, topic.NextText-topic.FirstText,
			newest, topic.Mode, topic.UID, topic.GID)
	}
	return table.Flush()
}

// printable quotes a name that would upset a terminal or the table.
func printable(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

// A topicLine is a topic as JSON.
type topicLine struct {
	Topic   string     `json:"topic"`
	Records uint64     `json:"records"`
	First   uint64     `json:"first"` // offset of the oldest record
	Next    uint64     `json:"next"`  // offset of the record to come
	Bytes   uint64     `json:"bytes"` // of all records as lines
	Time    *time.Time `json:"time"`  // of the newest record, null if unknown
	Mode    string     `json:"mode"`  // permission bits, octal
	UID     uint32     `json:"uid"`
	GID     uint32     `json:"gid"`
}

func (c *topicsCommand) printJSON(topics []engine.TopicInfo) error {
	encoder := json.NewEncoder(c.env.out)
	encoder.SetEscapeHTML(false)
	for _, topic := range topics {
		line := topicLine{
			Topic:   topic.Name,
			Records: topic.Next - topic.First,
			First:   topic.First,
			Next:    topic.Next,
			Bytes:   topic.NextText - topic.FirstText,
			Mode:    fmt.Sprintf("%04o", topic.Mode),
			UID:     topic.UID,
			GID:     topic.GID,
		}
		if !topic.Time.IsZero() {
			utc := topic.Time.UTC()
			line.Time = &utc
		}
		if err := encoder.Encode(line); err != nil {
			return outputError(err)
		}
	}
	return nil
}
