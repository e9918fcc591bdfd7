package server

import "syscall"

// setLowWater makes the system call a socket readable, and wake whoever waits for it, only once n bytes are there, or
// its buffer is full, or the peer has ended. Bytes that are there already count at once.
func setLowWater(fd, n int) bool {
	return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n) == nil
}
