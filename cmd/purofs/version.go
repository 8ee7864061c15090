package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker: make build passes what git describe says.
var version string

// A versionCommand says what program this is.
type versionCommand struct {
	env *environment
}

func newVersionCommand(env *environment) *cobra.Command {
	c := &versionCommand{env: env}
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Version prints the version of the program, the Go version it was built with, and the
platform.`,
		Example:           "  purofs version",
		Args:              arguments(),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(*cobra.Command, []string) error { return c.Run() },
	}
}

// Run prints the version.
func (c *versionCommand) Run() error {
	_, err := fmt.Fprintln(c.env.out, describeProgram())
	return err
}

func describeProgram() string {
	return fmt.Sprintf("purofs %s (%s %s/%s)",
		versionString(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// versionString is the version that the linker set, or else that of the module or the commit that
// the Go command recorded.
func versionString() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			return "devel-" + setting.Value[:min(12, len(setting.Value))]
		}
	}
	return "devel"
}
