package main

import (
	"github.com/spf13/cobra"

	"purofs/fs"
)

// An umountCommand ends a mount.
type umountCommand struct{}

func newUmountCommand() *cobra.Command {
	c := &umountCommand{}
	return &cobra.Command{
		Use:     "umount MOUNTPOINT",
		Aliases: []string{"unmount"},
		GroupID: groupMount,
		Short:   "End a mount",
		Long: `Umount ends the mount on MOUNTPOINT. Readers that wait for records see the end of the file,
appends that are under way are finished, and the daemon ends. As umount(8) does, but users
can end mounts of their own with it too.`,
		Example:           `  purofs umount /mnt/events`,
		Args:              arguments("MOUNTPOINT"),
		ValidArgsFunction: completeDirectories(1),
		RunE:              func(_ *cobra.Command, args []string) error { return c.Run(args[0]) },
	}
}

// Run unmounts.
func (c *umountCommand) Run(mountpoint string) error {
	return fs.UnmountPath(mountpoint)
}
