package vfs

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// syncDir does nothing: Windows has no flush for a directory; NTFS journals names by itself.
func syncDir(name string) error {
	_, err := os.Stat(name)
	return err
}

func lockFile(f *os.File) error {
	const wholeFile = ^uint32(0)
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, wholeFile, wholeFile, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return ErrLocked
	}
	return err
}

func diskFree(name string) (free, total uint64, err error) {
	p, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, 0, err
	}
	err = windows.GetDiskFreeSpaceEx(p, &free, &total, nil)
	return free, total, err
}

// IsNoSpace says whether err means that the disk, or our share of it, is full.
func IsNoSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, syscall.ENOSPC)
}

// IsTooManyFiles says whether err means that no descriptor is left, in the process or in the system.
func IsTooManyFiles(err error) bool {
	return errors.Is(err, windows.ERROR_TOO_MANY_OPEN_FILES) || errors.Is(err, syscall.EMFILE)
}
