package vfs

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// MkdirAll makes the directories of a name that are missing.
func (m *Mem) MkdirAll(name string, _ fs.FileMode) error {
	op := Op{Kind: OpMkdir, Name: name}
	if err := m.begin(op); err != nil {
		return err
	}
	defer m.mu.Unlock()
	dir := m.root
	for _, e := range split(name) {
		next, ok := dir.children[e]
		if !ok {
			next = newDir()
			m.link(dir, e, next)
		}
		if !next.dir {
			return pathError(op, syscall.ENOTDIR)
		}
		dir = next
	}
	return nil
}

// Rename moves a name, replacing the new one.
func (m *Mem) Rename(oldName, newName string) error {
	op := Op{Kind: OpRename, Name: oldName, NewName: newName}
	if err := m.begin(op); err != nil {
		return err
	}
	defer m.mu.Unlock()
	from, oldLast, err := m.parent(oldName)
	if err != nil {
		return pathError(op, err)
	}
	to, newLast, err := m.parent(newName)
	if err != nil {
		return pathError(op, err)
	}
	n, ok := from.children[oldLast]
	if !ok {
		return pathError(op, fs.ErrNotExist)
	}
	if n.dir && strings.HasPrefix(path.Join(split(newName)...)+"/", path.Join(split(oldName)...)+"/") {
		return pathError(op, fs.ErrInvalid) // into itself
	}
	if replaced, ok := to.children[newLast]; ok && (replaced.dir || n.dir) {
		return pathError(op, fs.ErrExist) // as package os has it
	} else if ok && replaced != n {
		m.unlink(replaced)
	}
	delete(from.children, oldLast)
	to.children[newLast] = n
	m.pending = append(m.pending, &dirOp{[]*node{from, to}, func() {
		delete(from.durable, oldLast)
		to.durable[newLast] = n
	}})
	return nil
}

// Remove removes a file or an empty directory.
func (m *Mem) Remove(name string) error {
	op := Op{Kind: OpRemove, Name: name}
	if err := m.begin(op); err != nil {
		return err
	}
	defer m.mu.Unlock()
	dir, last, err := m.parent(name)
	if err != nil {
		return pathError(op, err)
	}
	n, ok := dir.children[last]
	if !ok {
		return pathError(op, fs.ErrNotExist)
	}
	if len(n.children) > 0 {
		return pathError(op, syscall.ENOTEMPTY)
	}
	m.unlink(n)
	delete(dir.children, last)
	touched := []*node{dir}
	if n.dir {
		touched = append(touched, n) // only when what was in it is gone
	}
	m.pending = append(m.pending, &dirOp{touched, func() { delete(dir.durable, last) }})
	return nil
}

// RemoveAll removes a name and all below, one by one: each is an operation, and the power may go in between.
func (m *Mem) RemoveAll(name string) error {
	m.mu.Lock()
	n, err := m.find(split(name))
	var names []string
	if err == nil && n.dir {
		names = sortedNames(n.children)
	}
	m.mu.Unlock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, child := range names {
		if err := m.RemoveAll(filepath.Join(name, child)); err != nil {
			return err
		}
	}
	return ignoreNotExist(m.Remove(name))
}

// SyncDir makes the names in a directory durable, with those that they depend on.
func (m *Mem) SyncDir(name string) error {
	op := Op{Kind: OpSyncDir, Name: name}
	if err := m.begin(op); err != nil {
		return err
	}
	defer m.mu.Unlock()
	dir, err := m.find(split(name))
	if err != nil {
		return pathError(op, err)
	}
	if !dir.dir {
		return pathError(op, syscall.ENOTDIR)
	}
	m.settle(dir)
	return nil
}

// Stat describes a name. Times are zero.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	op := Op{Kind: OpStat, Name: name}
	if err := m.begin(op); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	n, err := m.find(split(name))
	if err != nil {
		return nil, pathError(op, err)
	}
	return n.info(path.Base(filepath.ToSlash(name))), nil
}

// ReadDir lists a directory.
func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	op := Op{Kind: OpReadDir, Name: name}
	if err := m.begin(op); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	n, err := m.find(split(name))
	if err != nil {
		return nil, pathError(op, err)
	}
	if !n.dir {
		return nil, pathError(op, syscall.ENOTDIR)
	}
	entries := make([]fs.DirEntry, 0, len(n.children))
	for _, child := range sortedNames(n.children) {
		entries = append(entries, fs.FileInfoToDirEntry(n.children[child].info(child)))
	}
	return entries, nil
}

func (n *node) info(name string) fs.FileInfo {
	return memInfo{name: name, size: int64(len(n.data)), dir: n.dir}
}

type memInfo struct {
	name string
	size int64
	dir  bool
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) ModTime() time.Time { return time.Time{} }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) Sys() any           { return nil }

func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
