package server

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// setLowWater makes the system call a socket readable, and wake whoever waits for it, only once n bytes are there, or
// its buffer is full, or the peer has ended. Bytes that are there already count at once. It cannot wait, so the runtime is
// not told, as in now.
func setLowWater(fd, n int) bool {
	mark := int32(n)
	_, _, errno := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT,
		uintptr(unsafe.Pointer(&mark)), unsafe.Sizeof(mark), 0)
	return errno == 0
}
