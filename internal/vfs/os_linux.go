package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncData leaves out what fsync adds, the times of the file; its size is included.
func syncData(f *os.File) error {
	return onDescriptor(f, unix.Fdatasync)
}

// preallocate keeps the size, so that a crash leaves no tail of zeros to scan. File systems without fallocate are
// served without: it is for speed.
func preallocate(f *os.File, offset, length int64) error {
	err := onDescriptor(f, func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, offset, length)
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}

// onDescriptor holds the descriptor for the call, so that a concurrent Close cannot give its number to another file.
func onDescriptor(f *os.File, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = conn.Control(func(fd uintptr) {
		callErr = ignoringEINTR(func() error { return call(int(fd)) })
	})
	if err != nil {
		return err
	}
	return callErr
}
