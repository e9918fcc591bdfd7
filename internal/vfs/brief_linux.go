package vfs

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// briefWrite is a write of which the runtime is not told. For a system call that may block it wakes its monitor thread, which
// then polls for a millisecond: beside small and middling writes that costs a sixth of all that a producer costs. A write into
// the system's cache does not wait as a rule, but there is no asking for that as there is for reads. So one that took long,
// since the disk does not keep up, has the runtime told of all writes for a while: what waits there must not keep a processor.
type briefWrite struct {
	b    []byte
	off  int64
	n    int
	err  error
	call func(fd uintptr) // the method below, bound once
}

const (
	// mostBrief bounds how long such a write keeps its processor from others.
	mostBrief = 2 << 20
	// longWrite is what no write takes that only copies, not even when others have its processor for some turns.
	longWrite = 25 * time.Millisecond
	// waryFor is for how many times as long as such a one the runtime is then told of writes.
	waryFor = 50
)

var (
	briefWrites = sync.Pool{New: func() any {
		w := new(briefWrite)
		w.call = w.write
		return w
	}}
	started = time.Now()
	// waryUntil is until when writes are not brief, since started.
	waryUntil atomic.Int64
)

func (w *briefWrite) write(fd uintptr) {
	from := unix.Iovec{Base: unsafe.SliceData(w.b)}
	from.SetLen(len(w.b))
	n, _, errno := unix.RawSyscall6(unix.SYS_PWRITEV, fd, uintptr(unsafe.Pointer(&from)), 1, uintptr(w.off), uintptr(w.off>>32), 0)
	if errno != 0 {
		w.n, w.err = 0, errno
		return
	}
	w.n, w.err = int(n), nil
}

// WriteAt tells the runtime only where the disk may keep it waiting.
func (f osFile) WriteAt(b []byte, off int64) (int, error) {
	now := time.Since(started)
	if len(b) == 0 || len(b) > mostBrief || off < 0 || int64(now) < waryUntil.Load() {
		return f.File.WriteAt(b, off)
	}
	n, err := f.writeBriefly(b, off)
	if took := time.Since(started) - now; took > longWrite {
		waryUntil.Store(int64(now + took*(1+waryFor)))
	}
	switch {
	case err == syscall.EINTR || err == nil && n > 0 && n < len(b):
		more, err := f.File.WriteAt(b[n:], off+int64(n))
		return n + more, err
	case err == nil && n == 0:
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return n, &os.PathError{Op: "write", Path: f.Name(), Err: err}
	}
	return n, nil
}

func (f osFile) writeBriefly(b []byte, off int64) (int, error) {
	w := briefWrites.Get().(*briefWrite)
	w.b, w.off = b, off
	err := f.conn.Control(w.call)
	n := w.n
	if err == nil {
		err = w.err
	}
	w.b, w.err, w.n = nil, nil, 0
	briefWrites.Put(w)
	return n, err
}
