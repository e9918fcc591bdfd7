package logdir

import "fmt"

// syncDisk makes everything on the directory's disk durable that was written before, where the system has a call that does so and
// can be believed. When it says false the logs' own syncs decide.
func (d *Dir) syncDisk() bool {
	sync := d.o.syncWhole
	if sync == nil && d.whole != nil {
		sync = d.whole.sync
	}
	if sync == nil {
		return false
	}
	if err := sync(); err != nil {
		d.log.Warn("the disk could not be synced as a whole; each log is synced by itself", "error", err)
		return false
	}
	return true
}

// tellsFailures says whether the syncfs of a Linux release reports what could not be written, as it does from 5.8 on.
func tellsFailures(release string) bool {
	var major, minor int
	n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor)
	return n == 2 && (major > 5 || major == 5 && minor >= 8)
}
