package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ErrSkip, returned by the decision of a faulty disk, leaves the operation out and reports success: a lying disk. Only
// changes can be skipped, and of those not OpCreate.
var ErrSkip = errors.New("skip")

// ShortWrite, returned by the decision of a faulty disk for a write, writes only the first N bytes, then fails with Err.
type ShortWrite struct {
	N   int
	Err error
}

func (s *ShortWrite) Error() string { return fmt.Sprintf("short write of %d bytes: %v", s.N, s.Err) }
func (s *ShortWrite) Unwrap() error { return s.Err }

type faulty struct {
	FS
	decide func(Op) error
}

// NewFaulty returns a disk that asks before each operation, possibly from several goroutines: nil lets it through, ErrSkip
// and *ShortWrite are as they say, every other error is returned in its place (wrapped in a *fs.PathError).
func NewFaulty(fsys FS, decide func(op Op) error) FS { return &faulty{fsys, decide} }

// ask returns whether to go on, and the error to return if not.
func (f *faulty) ask(op Op) (bool, error) {
	err := f.decide(op)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, ErrSkip) && op.Kind.Changes() && op.Kind != OpCreate:
		return false, nil
	default:
		return false, &fs.PathError{Op: op.Kind.String(), Path: op.Name, Err: err}
	}
}

func (f *faulty) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	op := Op{Kind: OpOpen, Name: name}
	if flag&(os.O_CREATE|os.O_TRUNC) != 0 {
		if _, err := f.FS.Stat(name); errors.Is(err, fs.ErrNotExist) {
			op.Kind = OpCreate
		} else if flag&os.O_TRUNC != 0 {
			op.Kind = OpTruncate
		}
	}
	if ok, err := f.ask(op); err != nil {
		return nil, err
	} else if !ok {
		flag &^= os.O_TRUNC
	}
	file, err := f.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, f}, nil
}

func (f *faulty) MkdirAll(name string, perm fs.FileMode) error {
	if ok, err := f.ask(Op{Kind: OpMkdir, Name: name}); !ok {
		return err
	}
	return f.FS.MkdirAll(name, perm)
}

func (f *faulty) Rename(oldName, newName string) error {
	if ok, err := f.ask(Op{Kind: OpRename, Name: oldName, NewName: newName}); !ok {
		return err
	}
	return f.FS.Rename(oldName, newName)
}

func (f *faulty) Remove(name string) error {
	if ok, err := f.ask(Op{Kind: OpRemove, Name: name}); !ok {
		return err
	}
	return f.FS.Remove(name)
}

func (f *faulty) RemoveAll(name string) error {
	if ok, err := f.ask(Op{Kind: OpRemove, Name: name}); !ok {
		return err
	}
	return f.FS.RemoveAll(name)
}

func (f *faulty) ReadDir(name string) ([]fs.DirEntry, error) {
	if _, err := f.ask(Op{Kind: OpReadDir, Name: name}); err != nil {
		return nil, err
	}
	return f.FS.ReadDir(name)
}

func (f *faulty) Stat(name string) (fs.FileInfo, error) {
	if _, err := f.ask(Op{Kind: OpStat, Name: name}); err != nil {
		return nil, err
	}
	return f.FS.Stat(name)
}

func (f *faulty) SyncDir(name string) error {
	if ok, err := f.ask(Op{Kind: OpSyncDir, Name: name}); !ok {
		return err
	}
	return f.FS.SyncDir(name)
}

func (f *faulty) Lock(name string) (io.Closer, error) {
	if _, err := f.ask(Op{Kind: OpLock, Name: name}); err != nil {
		return nil, err
	}
	return f.FS.Lock(name)
}

func (f *faulty) Free(name string) (free, total uint64, err error) {
	if _, err := f.ask(Op{Kind: OpFree, Name: name}); err != nil {
		return 0, 0, err
	}
	return f.FS.Free(name)
}

type faultyFile struct {
	File
	disk *faulty
}

func (f *faultyFile) ReadAt(p []byte, offset int64) (int, error) {
	if _, err := f.disk.ask(Op{Kind: OpRead, Name: f.Name(), Offset: offset, Length: len(p)}); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, offset)
}

func (f *faultyFile) WriteAt(p []byte, offset int64) (int, error) {
	ok, err := f.disk.ask(Op{Kind: OpWrite, Name: f.Name(), Offset: offset, Length: len(p)})
	var short *ShortWrite
	switch {
	case ok:
		return f.File.WriteAt(p, offset)
	case err == nil:
		return len(p), nil
	case errors.As(err, &short):
		n, werr := f.File.WriteAt(p[:min(short.N, len(p))], offset)
		return n, errors.Join(err, werr)
	default:
		return 0, err
	}
}

func (f *faultyFile) Size() (int64, error) {
	if _, err := f.disk.ask(Op{Kind: OpStat, Name: f.Name()}); err != nil {
		return 0, err
	}
	return f.File.Size()
}

func (f *faultyFile) Truncate(size int64) error {
	if ok, err := f.disk.ask(Op{Kind: OpTruncate, Name: f.Name(), Offset: size}); !ok {
		return err
	}
	return f.File.Truncate(size)
}

func (f *faultyFile) Sync() error {
	if ok, err := f.disk.ask(Op{Kind: OpSync, Name: f.Name()}); !ok {
		return err
	}
	return f.File.Sync()
}

func (f *faultyFile) Preallocate(offset, length int64) error {
	op := Op{Kind: OpPreallocate, Name: f.Name(), Offset: offset, Length: int(length)}
	if ok, err := f.disk.ask(op); !ok {
		return err
	}
	return f.File.Preallocate(offset, length)
}

func (f *faultyFile) Close() error {
	if _, err := f.disk.ask(Op{Kind: OpClose, Name: f.Name()}); err != nil {
		return errors.Join(err, f.File.Close()) // a failed close closes nevertheless
	}
	return f.File.Close()
}
