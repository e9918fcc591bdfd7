//go:build !linux

package vfs

import "os"

// syncData: os.File.Sync is F_FULLFSYNC on darwin, where plain fsync does not reach the platter.
func syncData(f *os.File) error { return f.Sync() }

// osFile adds to os.File what it lacks; ReadAt, WriteAt, Truncate, Name and Close are the file's own.
type osFile struct{ *os.File }

func newOSFile(f *os.File) (File, error) { return osFile{f}, nil }

func preallocate(*os.File, int64, int64) error { return nil }
