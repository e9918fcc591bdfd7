package vfs

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// cachedRead reads what the system has in memory, and only that. As it cannot wait, the runtime need not be told of it:
// for a system call that may block it wakes its monitor thread, which costs more than the read when little else goes on.
type cachedRead struct {
	b    []byte
	off  int64
	n    int
	call func(fd uintptr) // the method below, bound once
}

// mostCached bounds how long such a read keeps its processor from others.
const mostCached = 256 << 10

var (
	cachedReads = sync.Pool{New: func() any {
		r := new(cachedRead)
		r.call = r.read
		return r
	}}
	// noCachedReads is set by the first file system that has no such reads: to ask again each time costs a system call.
	noCachedReads atomic.Bool
)

func (r *cachedRead) read(fd uintptr) {
	into := unix.Iovec{Base: unsafe.SliceData(r.b)}
	into.SetLen(len(r.b))
	n, _, errno := unix.RawSyscall6(unix.SYS_PREADV2, fd, uintptr(unsafe.Pointer(&into)), 1,
		uintptr(r.off), uintptr(r.off>>32), unix.RWF_NOWAIT)
	switch errno {
	case 0:
		r.n = int(n)
	case unix.EOPNOTSUPP, unix.ENOSYS:
		noCachedReads.Store(true)
	}
}

// readCached reads as much of b as the system has in memory from off on; 0 also stands for every reason not to.
func readCached(conn syscall.RawConn, b []byte, off int64) int {
	if len(b) == 0 || len(b) > mostCached || off < 0 || noCachedReads.Load() {
		return 0
	}
	r := cachedReads.Get().(*cachedRead)
	r.b, r.off, r.n = b, off, 0
	err := conn.Control(r.call)
	n := r.n
	r.b = nil
	cachedReads.Put(r)
	if err != nil {
		return 0
	}
	return n
}

// osFile adds to os.File what it lacks; Truncate, Name and Close are the file's own.
type osFile struct {
	*os.File
	conn syscall.RawConn
}

func newOSFile(f *os.File) (File, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	return osFile{f, conn}, nil
}

// ReadAt waits for the disk only for what is not in memory.
func (f osFile) ReadAt(b []byte, off int64) (int, error) {
	n := readCached(f.conn, b, off)
	if n == len(b) {
		return n, nil
	}
	more, err := f.File.ReadAt(b[n:], off+int64(n))
	return n + more, err
}
