package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// MaxReadFile bounds ReadFile: what is larger is read in pieces by whoever knows its format.
const MaxReadFile = 1 << 30

// tempSuffix marks a file that WriteFileAtomic had not finished; Kafka uses the same one.
const tempSuffix = ".tmp"

// WriteFileAtomic replaces the file name by data: a reader, and a start after a crash, sees the old contents or the
// new ones whole. With sync the new contents are durable on return. Without it, a power cut may leave
// the old contents, the new ones or (as the rename can overtake the data) an empty or torn file; a crash of
// the process alone cannot. Concurrent calls for the same name must be serialised by the caller.
func WriteFileAtomic(fsys FS, name string, data []byte, sync bool) error {
	temp := name + tempSuffix
	if err := writeWhole(fsys, temp, data, sync); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", temp, err), ignoreNotExist(fsys.Remove(temp)))
	}
	if err := fsys.Rename(temp, name); err != nil {
		return fmt.Errorf("rename %s: %w", temp, err)
	}
	if !sync {
		return nil
	}
	if err := fsys.SyncDir(filepath.Dir(name)); err != nil {
		return fmt.Errorf("sync directory of %s: %w", name, err)
	}
	return nil
}

func writeWhole(fsys FS, name string, data []byte, sync bool) error {
	f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ReadFile returns the contents of a file of at most MaxReadFile bytes.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > MaxReadFile {
		return nil, fmt.Errorf("%s: %d bytes, more than %d", name, size, int64(MaxReadFile))
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return data[:n], nil
}
