package logdir

import (
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// diskLimit bounds the calls that wait for a disk. Each holds an operating-system thread, and a disk that hangs would
// otherwise collect them until the runtime gives up at 10,000. Taking it costs one atomic addition while it is not
// exhausted: free is the number of free places, negative by the number of callers that wait.
type diskLimit struct {
	free atomic.Int64
	wake chan struct{}
}

func (l *diskLimit) enter() {
	if l.free.Add(-1) < 0 {
		<-l.wake
	}
}

func (l *diskLimit) leave() {
	if l.free.Add(1) <= 0 {
		l.wake <- struct{}{} // someone waits or is just about to
	}
}

// limitFS is a disk whose calls pass the limit. Locks and statfs do not: they must answer on a disk that is stuck.
func limitFS(disk vfs.FS, calls int) vfs.FS {
	l := &diskLimit{wake: make(chan struct{})}
	l.free.Store(int64(calls))
	return limitedFS{disk, l}
}

type limitedFS struct {
	vfs.FS
	l *diskLimit
}

func (f limitedFS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f.l.enter()
	defer f.l.leave()
	file, err := f.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return limitedFile{file, f.l}, nil
}

func (f limitedFS) MkdirAll(name string, perm fs.FileMode) error {
	f.l.enter()
	defer f.l.leave()
	return f.FS.MkdirAll(name, perm)
}

func (f limitedFS) Rename(oldName, newName string) error {
	f.l.enter()
	defer f.l.leave()
	return f.FS.Rename(oldName, newName)
}

func (f limitedFS) Remove(name string) error {
	f.l.enter()
	defer f.l.leave()
	return f.FS.Remove(name)
}

func (f limitedFS) RemoveAll(name string) error {
	f.l.enter()
	defer f.l.leave()
	return f.FS.RemoveAll(name)
}

func (f limitedFS) ReadDir(name string) ([]fs.DirEntry, error) {
	f.l.enter()
	defer f.l.leave()
	return f.FS.ReadDir(name)
}

func (f limitedFS) Stat(name string) (fs.FileInfo, error) {
	f.l.enter()
	defer f.l.leave()
	return f.FS.Stat(name)
}

func (f limitedFS) SyncDir(name string) error {
	f.l.enter()
	defer f.l.leave()
	return f.FS.SyncDir(name)
}

type limitedFile struct {
	vfs.File
	l *diskLimit
}

var (
	_ io.ReaderAt = limitedFile{}
	_ io.WriterAt = limitedFile{}
)

func (f limitedFile) ReadAt(b []byte, off int64) (int, error) {
	f.l.enter()
	defer f.l.leave()
	return f.File.ReadAt(b, off)
}

func (f limitedFile) WriteAt(b []byte, off int64) (int, error) {
	f.l.enter()
	defer f.l.leave()
	return f.File.WriteAt(b, off)
}

func (f limitedFile) Truncate(size int64) error {
	f.l.enter()
	defer f.l.leave()
	return f.File.Truncate(size)
}

func (f limitedFile) Sync() error {
	f.l.enter()
	defer f.l.leave()
	return f.File.Sync()
}

func (f limitedFile) Preallocate(offset, length int64) error {
	f.l.enter()
	defer f.l.leave()
	return f.File.Preallocate(offset, length)
}

func (f limitedFile) Close() error {
	f.l.enter()
	defer f.l.leave()
	return f.File.Close()
}
