package logdir

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
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
//
// A last line keeps the broker epoch, so that a broker whose process was killed can register as one that has lost nothing.
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

// readBoot says whether the machine has not restarted since the directory was last in order, and under which epoch its broker was
// registered then.
func (d *Dir) readBoot() (same bool, brokerEpoch int64) {
	mark := d.bootMark()
	if mark == nil {
		return false, unknownBrokerEpoch
	}
	b, err := vfs.ReadFile(d.disk, filepath.Join(d.o.Path, bootName))
	if err != nil {
		return false, unknownBrokerEpoch
	}
	rest, same := bytes.CutPrefix(b, mark)
	if !same {
		return false, unknownBrokerEpoch
	}
	epoch, err := strconv.ParseInt(strings.TrimSpace(string(rest)), 10, 64)
	if err != nil {
		epoch = unknownBrokerEpoch
	}
	return true, epoch
}

// Registered keeps the epoch under which this process's broker is registered from now on: Start tells it to the next one.
func (d *Dir) Registered(brokerEpoch int64) {
	d.bootMu.Lock()
	d.brokerEpoch = brokerEpoch
	d.bootMu.Unlock()
	if d.start.SameBoot && !d.strays.takenBack.Load() || d.unrecovered.Load() == 0 {
		d.rememberBoot()
	}
}

// rememberBoot is optional: without it the next start scans more than it needs to.
func (d *Dir) rememberBoot() {
	d.bootMu.Lock()
	defer d.bootMu.Unlock()
	mark := d.bootMark()
	if mark == nil || d.failed() != nil {
		return
	}
	mark = fmt.Appendf(mark, "%d\n", d.brokerEpoch)
	if err := vfs.WriteFileAtomic(d.disk, filepath.Join(d.o.Path, bootName), mark, false); err != nil {
		d.log.Warn("cannot note the boot id: a crash will be treated as a power cut", "error", err)
	}
}

// forgetBoot makes the next start read everything back from the disk's own copy of the truth.
func (d *Dir) forgetBoot() {
	d.bootMu.Lock()
	defer d.bootMu.Unlock()
	err := d.disk.Remove(filepath.Join(d.o.Path, bootName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("cannot remove the boot id: restart the machine before the broker", "error", err)
	}
}
