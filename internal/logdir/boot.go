package logdir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// The boot file is `.barnabas-boot`: under which boot of the machine this directory was last in order. If the kernel still has
// that boot's id, every write that completed is in the page cache or on the disk, and a crash was the process's alone.
//
// It is written when nothing waits for recovery any more, never before: a process that dies while it recovers
// from a power cut must not make the next start believe that the cut did not happen. So it needs no sync either: a power
// cut that loses it changes the boot id as well. It names the directory's inode too, since a copy of a live directory
// is as torn as after a power cut.
const (
	bootVersion   = "1"
	kernelBootID  = "/proc/sys/kernel/random/boot_id"
	maxBootIDSize = 128
)

// bootMark is what the boot file holds, nil where the kernel has no boot id: then every start is taken for one after
// a power cut.
func (d *Dir) bootMark() []byte {
	id := d.o.BootID
	if id == "" {
		b, err := os.ReadFile(kernelBootID)
		if err != nil || len(b) > maxBootIDSize {
			return nil
		}
		id = strings.TrimSpace(string(b))
	}
	if id == "" {
		return nil
	}
	info, err := d.disk.Stat(filepath.Join(d.o.Path, lockName))
	if err != nil {
		return nil
	}
	return fmt.Appendf(nil, "%s\n%s\n%s\n", bootVersion, id, inode(info))
}

func (d *Dir) sameBoot() bool {
	mark := d.bootMark()
	if mark == nil {
		return false
	}
	b, err := vfs.ReadFile(d.disk, filepath.Join(d.o.Path, bootName))
	return err == nil && bytes.Equal(b, mark)
}

// rememberBoot is optional: without it the next start scans more than it needs to.
func (d *Dir) rememberBoot() {
	mark := d.bootMark()
	if mark == nil || d.failed() != nil {
		return
	}
	if err := vfs.WriteFileAtomic(d.disk, filepath.Join(d.o.Path, bootName), mark, false); err != nil {
		d.log.Warn("cannot note the boot id: a crash will be treated as a power cut", "error", err)
	}
}

// forgetBoot makes the next start read everything back from the disk's own copy of the truth.
func (d *Dir) forgetBoot() {
	err := d.disk.Remove(filepath.Join(d.o.Path, bootName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("cannot remove the boot id: restart the machine before the broker", "error", err)
	}
}
