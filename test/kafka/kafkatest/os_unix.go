//go:build unix

package kafkatest

import (
	"os"
	"syscall"
)

// lock waits until this process alone has the file.
func lock(name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// running says whether a process is there.
func running(pid int) bool { return syscall.Kill(pid, 0) != syscall.ESRCH }
