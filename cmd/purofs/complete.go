package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"purofs/engine"
)

// completeDirectories completes the first n arguments as directories.
func completeDirectories(n int) cobra.CompletionFunc {
	return func(
		_ *cobra.Command, args []string, _ string,
	) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) < n {
			return nil, cobra.ShellCompDirectiveFilterDirs
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeTopic completes a store and then one of its topics.
func completeTopic(
	cmd *cobra.Command, args []string, _ string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return nil, cobra.ShellCompDirectiveFilterDirs
	case 1:
		return topicNames(cmd, args[0]), cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// topicNames lists the topics of a store that a shell can show. Errors mean that there is nothing
// to propose: a person who is typing does not want to read them.
func topicNames(cmd *cobra.Command, store string) []cobra.Completion {
	log, err := engine.Open(cmd.Context(), store, engine.Options{ReadOnly: true})
	if err != nil {
		return nil
	}
	defer log.Close()
	var names []cobra.Completion
	for _, topic := range log.Topics() {
		if !strings.ContainsAny(topic.Name, "\t\n\r") {
			names = append(names, topic.Name)
		}
	}
	return names
}

// completePosition proposes the kinds of positions that --from takes.
func completePosition(
	*cobra.Command, []string, string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{
		cobra.CompletionWithDesc("start", "the oldest record"),
		cobra.CompletionWithDesc("end", "only what is still to come"),
		cobra.CompletionWithDesc("-10", "the last ten records"),
		cobra.CompletionWithDesc("10m", "the last ten minutes (also 2h, 3d)"),
	}, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// completeOptions proposes options behind the last comma of what was typed for -o.
func completeOptions(known ...[]mountOption) cobra.CompletionFunc {
	return func(
		_ *cobra.Command, _ []string, typed string,
	) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		var proposals []cobra.Completion
		for _, option := range slices.Concat(known...) {
			name, description := option.name, strings.ReplaceAll(option.help, "\n", " ")
			if option.value != "" {
				name += "="
			}
			proposals = append(proposals, cobra.CompletionWithDesc(before+name, description))
		}
		return proposals, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
}
