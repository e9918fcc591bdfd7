package server

import (
	"syscall"
	"unsafe"
)

// mostNow bounds how long a call on a socket keeps its processor from others.
const mostNow = 2 << 20

// readNow and writeNow are system calls on a socket that does not block. Of a call that cannot wait the runtime need not
// be told: for one that may, it wakes its monitor thread, which costs more than the call when little else goes on.
func readNow(fd int, p []byte) (int, error) {
	if len(p) > mostNow {
		return syscall.Read(fd, p)
	}
	return now(syscall.SYS_READ, fd, p)
}

func writeNow(fd int, p []byte) (int, error) {
	if len(p) > mostNow {
		return syscall.Write(fd, p)
	}
	return now(syscall.SYS_WRITE, fd, p)
}

func now(call uintptr, fd int, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
