//go:build !linux

package vfs

import "os"

// syncData: os.File.Sync is F_FULLFSYNC on darwin, where plain fsync does not reach the platter.
func syncData(f *os.File) error { return f.Sync() }

func preallocate(*os.File, int64, int64) error { return nil }
