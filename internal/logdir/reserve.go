package logdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// reserveCheckEvery and reserveCheckBytes (of a small reserve a reserveCheckPart, but reserveCheckLeast) bound how stale
	// the knowledge of free space may be: what can be appended between two looks is small beside the reserve.
	reserveCheckEvery = 100 * time.Millisecond
	reserveCheckBytes = 16 << 20
	reserveCheckPart  = 8
	reserveCheckLeast = 1 << 20
)

// reserve keeps a part of the disk free. Above it there is a second line: a file of some megabytes that is given up to
// write checkpoints and the manifest when the disk is full all the same, because others write to it too.
type reserve struct {
	d *Dir

	appended  atomic.Int64 // bytes since the directory was opened
	checkedAt atomic.Int64 // value of appended at the last look
	lookAfter atomic.Int64 // bytes appended before the next
	looked    atomic.Int64 // nanoseconds, time of the last look
	full      atomic.Bool

	mu   sync.Mutex // guards the reserve file and held
	held bool
}

func newReserve(d *Dir) *reserve { return &reserve{d: d} }

// Writable is asked before an append: nil, or ErrDiskFull while less than the reserve is free, or why the directory is offline.
// It looks at the disk at most every 100 ms (or some megabytes of appends), so that space freed is noticed by itself.
func (d *Dir) Writable() error {
	if err := d.failure.Load(); err != nil {
		return *err
	}
	r := d.reserve
	now := d.o.Now().UnixNano()
	last := r.looked.Load()
	due := now-last >= int64(reserveCheckEvery) || now < last || r.appended.Load()-r.checkedAt.Load() >= r.lookAfter.Load()
	if due && r.looked.CompareAndSwap(last, now) {
		r.look()
	}
	if r.full.Load() {
		return ErrDiskFull
	}
	return nil
}

// look compares what is free with the reserve. A disk that does not tell is not called full.
func (r *reserve) look() {
	r.checkedAt.Store(r.appended.Load())
	r.lookAfter.Store(reserveCheckBytes)
	if r.d.o.ReserveBytes < 0 {
		return
	}
	free, total, err := r.d.o.FS.Free(r.d.o.Path)
	if err != nil {
		r.d.log.Warn("cannot tell how full the disk is", "error", err)
		return
	}
	keep := uint64(r.d.o.ReserveBytes)
	if keep == 0 {
		keep = min(total/defaultReserveFraction, defaultReserve)
	}
	r.lookAfter.Store(int64(min(max(keep/reserveCheckPart, reserveCheckLeast), reserveCheckBytes)))
	full := free < keep
	if r.full.Swap(full) == full {
		return
	}
	if full {
		r.d.log.Error("the disk is full up to its reserve: appends are refused until there is space", "free", free, "reserve", keep)
	} else {
		r.d.log.Info("the disk has space again", "free", free, "reserve", keep)
	}
}

func (r *reserve) path() string { return filepath.Join(r.d.o.Path, reserveName) }

// prepare holds back the reserve file, if there is space: without it a start on a full disk still works.
func (r *reserve) prepare() {
	if r.d.o.ReserveBytes < 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held {
		return
	}
	free, _, err := r.d.o.FS.Free(r.d.o.Path)
	if err == nil && free < uint64(2*r.d.o.reserveFileBytes) {
		return
	}
	if err := r.hold(); err != nil {
		r.d.log.Warn("cannot hold back space for checkpoints", "error", err)
		return
	}
	r.held = true
}

// hold allocates without writing: idle directories should not cost megabytes of writes.
func (r *reserve) hold() error {
	f, err := r.d.disk.OpenFile(r.path(), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(f.Preallocate(0, r.d.o.reserveFileBytes), f.Close())
}

// spend gives the reserve file up and reports whether there was one.
func (r *reserve) spend() bool {
	if r.d.o.withoutReserveRelease {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = false
	err := r.d.disk.Remove(r.path())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.d.log.Warn("cannot give up the reserve file", "error", err)
	}
	return err == nil
}

// Space is the disk under the directory, for DescribeLogDirs.
func (d *Dir) Space() (free, total uint64, err error) { return d.o.FS.Free(d.o.Path) }
