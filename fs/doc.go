// Package fs mounts a store as a file system, and ends the mount.
//
//	mount, err := fs.Mount(ctx, fs.Config{Store: "/srv/events", Mountpoint: "/mnt/events"})
//	if err != nil {
//		return err
//	}
//	return mount.Wait() // until it is unmounted, by Unmount, umount(8) or fusermount3
//
// It puts together what others do: engine keeps the log, nodes decides what each file does on each
// call, transport speaks with the kernel.
//
// # Guarantees
//
//   - When Mount returns the mount answers.
//   - It is mounted nosuid, nodev and noexec. Nobody but the user who mounted may enter unless
//     Config.AllowOther is set, and then the kernel checks the permissions of each file.
//   - A mount ends within two seconds, however many readers wait: they see the end of the file,
//     appends under way finish, and what is still open a second later is cut off. A slow disk can
//     make it longer.
//   - It ends likewise when somebody else unmounts it, lazily too.
//   - What a killed daemon left behind, a mount point that gives "Transport endpoint is not
//     connected", is cleaned up by the next Mount there.
//
// The process that serves a mount must not use files below it in any thread that the mount waits
// for.
package fs
