// Package vfs is the seam between Barnabas and its disks: files, directories, and the calls that make them durable.
//
// It knows three disks: the operating system's (OS), one in memory that can lose its power (Mem), and a wrapper that
// fails or skips what a test chooses (NewFaulty). It must not know what the files mean: no names, formats or layouts.
//
// The model of durability is the weakest that POSIX allows, so that code right here is right everywhere:
//   - what was written to a file survives a power cut only after File.Sync;
//   - that a name exists, is gone or was renamed survives only after FS.SyncDir of the directory that holds it,
//     also for a directory: its own entry lives in its parent;
//   - Sync of a file says nothing about its name, SyncDir nothing about contents.
package vfs

import (
	"errors"
	"io"
	"io/fs"
)

// ErrLocked is returned by FS.Lock when another process, or another holder in this one, has the lock.
var ErrLocked = errors.New("locked by another process")

// FS is a disk. All methods may be called concurrently. Errors match fs.ErrNotExist, fs.ErrExist and fs.ErrPermission
// with errors.Is, and IsNoSpace when the disk is full.
type FS interface {
	// OpenFile opens name with the flags of package os (O_RDONLY, O_RDWR, O_CREATE, O_EXCL, O_TRUNC; not O_APPEND:
	// files are written at offsets).
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	MkdirAll(name string, perm fs.FileMode) error
	// Rename replaces newName if it exists, atomically for everyone who looks.
	Rename(oldName, newName string) error
	// Remove removes a file or an empty directory. Open files stay readable where the operating system allows it.
	Remove(name string) error
	RemoveAll(name string) error
	// ReadDir lists a directory sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	Stat(name string) (fs.FileInfo, error)
	// SyncDir makes creations, renames and removals in a directory durable.
	SyncDir(name string) error
	// Lock takes an exclusive advisory lock on the file name, creating it if needed. It does not wait: ErrLocked.
	// The lock ends with Close and with the process, however that ends.
	Lock(name string) (io.Closer, error)
	// Free reports the bytes available to us and the size of the disk that holds name.
	Free(name string) (free, total uint64, err error)
}

// File is an open file. ReadAt and WriteAt may be called concurrently.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Name is the name it was opened by; a later rename does not change it.
	Name() string
	Size() (int64, error)
	// Truncate cuts or extends the file to size; it also gives back what Preallocate reserved beyond it.
	Truncate(size int64) error
	// Sync makes contents and size durable (fdatasync). After an error nothing is known about what was
	// written since the last successful Sync: the kernel may have dropped it, and a retry may falsely succeed.
	Sync() error
	// Preallocate reserves space for a range without changing the size, where the system can, else does nothing.
	Preallocate(offset, length int64) error
}
