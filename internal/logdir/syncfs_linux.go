package logdir

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// wholeDisk syncs the disk that the directory is on. The descriptor is opened before anything is written: a failure to write
// back since then, of whichever file, is an error of its next syncfs.
type wholeDisk struct{ root *os.File }

func openWholeDisk(fsys vfs.FS, path string) (*wholeDisk, error) {
	if fsys != vfs.OS() || !syncfsTells() {
		return nil, nil
	}
	root, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &wholeDisk{root}, nil
}

func (w *wholeDisk) sync() error { return unix.Syncfs(int(w.root.Fd())) }

func (w *wholeDisk) close() error { return w.root.Close() }

// syncfsTells says whether this kernel's syncfs reports what could not be written.
func syncfsTells() bool {
	var name unix.Utsname
	return unix.Uname(&name) == nil && tellsFailures(unix.ByteSliceToString(name.Release[:]))
}
