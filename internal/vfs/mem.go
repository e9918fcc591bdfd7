package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// ErrPowerOff is returned by every operation of a Mem whose power is off.
var ErrPowerOff = errors.New("power is off")

// maxMemFile bounds a file of Mem: a test that writes more has a bug.
const maxMemFile = 1 << 31

// Mem is a disk in memory that remembers what of it is durable. It keeps the promises in the package's comment and not one
// more: Crash gives one of the disks that a power cut may leave, Kill what is left when only the process dies.
// It answers at once and waits for nothing, so it may be used within testing/synctest.
type Mem struct {
	mu       sync.Mutex
	root     *node
	pending  []*dirOp // names not yet synced, in order
	hook     func(Op) error
	locked   map[*node]bool
	open     int
	used     int64
	capacity int64
	changes  int64
	offAt    int64 // power goes off before this change; -1: never
	off      bool
}

// node is a file or a directory. A file's disk contents are synced plus any of its unsynced writes.
type node struct {
	dir      bool
	children map[string]*node // as programs see it
	durable  map[string]*node // as a power cut leaves it, before pending

	data     []byte
	synced   []byte
	unsynced []write
	links    int // names that programs see, for counting space
}

// write is a change of contents: bytes at an offset, or a new size when data is nil.
type write struct {
	offset int64
	data   []byte
}

// dirOp is a change of names. It is lost or kept as a whole, and never without those before it in the same directories.
type dirOp struct {
	dirs  []*node // whose names it changes
	apply func()  // on durable
}

// NewMem returns an empty disk of the largest capacity, with power.
func NewMem() *Mem {
	return &Mem{root: newDir(), locked: map[*node]bool{}, capacity: 1 << 50, offAt: -1}
}

func newDir() *node {
	return &node{dir: true, children: map[string]*node{}, durable: map[string]*node{}}
}

// SetHook has f called before each operation, without any lock held; an error is returned instead of doing it.
func (m *Mem) SetHook(f func(Op) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hook = f
}

// SetCapacity lets writes beyond so many bytes in files fail with ENOSPC.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// Changes is the number of operations done that changed the disk or what of it is durable (OpKind.Changes).
func (m *Mem) Changes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changes
}

// OpenFiles is the number of files and locks that are open.
func (m *Mem) OpenFiles() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open
}

// PowerOffAt cuts the power before the n-th change from now (0: the next): from then on everything returns ErrPowerOff. A run
// with n from 0 to the Changes of an undisturbed run stops at every write, sync, create, rename and remove.
func (m *Mem) PowerOffAt(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.offAt = m.changes + n
}

// PowerOff cuts the power now.
func (m *Mem) PowerOff() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off = true
}

// Off says whether the power is off.
func (m *Mem) Off() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.off
}

// begin runs the hook, then takes the lock and counts; the caller unlocks, unless there is an error.
func (m *Mem) begin(op Op) error {
	m.mu.Lock()
	hook := m.hook
	m.mu.Unlock()
	if hook != nil {
		if err := hook(op); err != nil {
			return pathError(op, err)
		}
	}
	m.mu.Lock()
	if op.Kind.Changes() && m.changes == m.offAt {
		m.off = true
	}
	if m.off {
		m.mu.Unlock()
		return pathError(op, ErrPowerOff)
	}
	if op.Kind.Changes() {
		m.changes++
	}
	return nil
}

func pathError(op Op, err error) error {
	return &fs.PathError{Op: op.Kind.String(), Path: op.Name, Err: err}
}

// split returns the elements of a name below the root; "/a//b/../c" and `a/c` are the same here.
func split(name string) []string {
	clean := path.Clean("/" + strings.TrimPrefix(filepath.ToSlash(name), filepath.VolumeName(name)))
	if clean == "/" {
		return nil
	}
	return strings.Split(clean[1:], "/")
}

// find returns the node of a name.
func (m *Mem) find(elements []string) (*node, error) {
	n := m.root
	for _, e := range elements {
		if !n.dir {
			return nil, syscall.ENOTDIR
		}
		next, ok := n.children[e]
		if !ok {
			return nil, fs.ErrNotExist
		}
		n = next
	}
	return n, nil
}

// parent returns the directory that holds a name and the name's last element.
func (m *Mem) parent(name string) (*node, string, error) {
	elements := split(name)
	if len(elements) == 0 {
		return nil, "", fs.ErrInvalid
	}
	last := len(elements) - 1
	dir, err := m.find(elements[:last])
	if err == nil && !dir.dir {
		err = syscall.ENOTDIR
	}
	return dir, elements[last], err
}

// OpenFile opens or creates a file.
func (m *Mem) OpenFile(name string, flag int, _ fs.FileMode) (File, error) {
	op := Op{Kind: OpOpen, Name: name}
	if flag&(os.O_CREATE|os.O_TRUNC) != 0 {
		op.Kind = m.kindOfOpen(name, flag)
	}
	if err := m.begin(op); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	n, err := m.openNode(name, flag)
	if err != nil {
		return nil, pathError(op, err)
	}
	m.open++
	return &memFile{disk: m, node: n, name: name, writable: flag&(os.O_WRONLY|os.O_RDWR) != 0}, nil
}

func (m *Mem) kindOfOpen(name string, flag int) OpKind {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch _, err := m.find(split(name)); {
	case err != nil && flag&os.O_CREATE != 0:
		return OpCreate
	case err == nil && flag&os.O_TRUNC != 0:
		return OpTruncate
	default:
		return OpOpen
	}
}

func (m *Mem) openNode(name string, flag int) (*node, error) {
	if flag&os.O_APPEND != 0 {
		return nil, fs.ErrInvalid
	}
	dir, last, err := m.parent(name)
	if err != nil {
		return nil, err
	}
	n, exists := dir.children[last]
	switch {
	case exists && n.dir:
		return nil, syscall.EISDIR
	case exists && flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, fs.ErrExist
	case exists:
		if flag&os.O_TRUNC != 0 && len(n.data) > 0 {
			m.resize(n, 0)
		}
		return n, nil
	case flag&os.O_CREATE == 0:
		return nil, fs.ErrNotExist
	}
	n = &node{}
	m.link(dir, last, n)
	return n, nil
}

// link makes a name, seen at once and durable later.
func (m *Mem) link(dir *node, name string, n *node) {
	dir.children[name] = n
	n.links++
	m.pending = append(m.pending, &dirOp{[]*node{dir}, func() { dir.durable[name] = n }})
}

func (m *Mem) unlink(n *node) {
	n.links--
	if n.links == 0 {
		m.used -= int64(len(n.data))
	}
}

// Free reports capacity not used by files that have a name.
func (m *Mem) Free(name string) (free, total uint64, err error) {
	op := Op{Kind: OpFree, Name: name}
	if err := m.begin(op); err != nil {
		return 0, 0, err
	}
	defer m.mu.Unlock()
	return uint64(max(m.capacity-m.used, 0)), uint64(m.capacity), nil
}

// Lock locks a file for its holder on this disk.
func (m *Mem) Lock(name string) (io.Closer, error) {
	f, err := m.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	op := Op{Kind: OpLock, Name: name}
	if err := m.begin(op); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	n := f.(*memFile).node
	taken := m.locked[n]
	m.locked[n] = true
	m.mu.Unlock()
	if taken {
		return nil, errors.Join(pathError(op, ErrLocked), f.Close())
	}
	return &memLock{f.(*memFile)}, nil
}

type memLock struct{ *memFile }

func (l *memLock) Close() error {
	l.disk.mu.Lock()
	delete(l.disk.locked, l.node)
	l.disk.mu.Unlock()
	return l.memFile.Close()
}
