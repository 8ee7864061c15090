package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// An owner is whom new files are given to.
type owner struct{ uid, gid int }

// GiveTo has what root makes in the directory, and in those below it, belong to a user: root that
// looks after another one's files must not lock that one out of them. For others it does nothing.
func (d *Dir) GiveTo(uid, gid uint32) {
	if os.Geteuid() == 0 && uid != 0 {
		d.owner = &owner{int(uid), int(gid)}
	}
}

// create opens a file that may have to be made, and gives it away if it was. What was there before
// is left alone: whoever may write to the directory can have put a link there to a file of root's.
func (d *Dir) create(name string, flag int, perm fs.FileMode) (*os.File, error) {
	file, err := d.root.OpenFile(name, flag|os.O_EXCL, perm)
	if errors.Is(err, fs.ErrExist) && flag&os.O_EXCL == 0 {
		return d.root.OpenFile(name, flag, perm)
	}
	if err == nil {
		d.owner.give(file)
	}
	return file, err
}

// mkdir makes a directory, and gives it away.
func (d *Dir) mkdir(name string, perm fs.FileMode) error {
	if err := d.root.Mkdir(name, perm); err != nil || d.owner == nil {
		return err
	}
	made, err := d.root.OpenFile(name, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer made.Close()
	d.owner.give(made)
	return nil
}

// give gives a file away. Root that may not do so, as in some containers, keeps it.
func (o *owner) give(file *os.File) { _ = file.Chown(o.uid, o.gid) }
