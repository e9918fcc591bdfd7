package storage

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

const (
	// minOpenFiles is the least limit of Files: an append may touch four files at once.
	minOpenFiles = 8
	// descriptorRetries is how often an open is tried again, each time after closing more of our own files, when the
	// process has no descriptor left.
	descriptorRetries = 8
	// scratchSize is the size of the pooled buffers in which batch headers and index blocks are read.
	scratchSize = 4096
)

// Files is a process-wide set of open files with a limit. Beyond it, files that nobody uses at the moment are closed,
// those not used lately first, and opened again when needed. Its methods may be called concurrently.
type Files struct {
	limit   int
	scratch sync.Pool // of *[scratchSize]byte

	mu   sync.Mutex
	open []*handle // in no order; hand goes round it (the clock algorithm: second chance instead of exact order)
	hand int
}

// NewFiles returns a set of at most limit open files; those in use at one moment may exceed it.
func NewFiles(limit int) *Files {
	return &Files{
		limit:   max(limit, minOpenFiles),
		scratch: sync.Pool{New: func() any { return new([scratchSize]byte) }},
	}
}

// Open is the number of files open now.
func (fs *Files) Open() int {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return len(fs.open)
}

// admit counts a file that was just opened and closes others beyond the limit. The caller holds h.mu.
func (fs *Files) admit(h *handle) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	h.slot = len(fs.open)
	fs.open = append(fs.open, h)
	for len(fs.open) > fs.limit && fs.evict() {
	}
}

// evict closes one file that is not in use, preferring those not used since the hand last passed. The caller holds mu.
// Other handles are only tried, not waited for: their holders may be waiting for mu.
func (fs *Files) evict() bool {
	for range 2 * len(fs.open) {
		if fs.hand >= len(fs.open) {
			fs.hand = 0
		}
		h := fs.open[fs.hand]
		fs.hand++
		if h.used.Swap(false) || !h.mu.TryLock() {
			continue
		}
		if h.refs > 0 {
			h.mu.Unlock()
			continue
		}
		fs.remove(h)
		_ = h.file.Close() // data was written with pwrite; what is not durable Sync will find through a new descriptor
		h.file = nil
		h.mu.Unlock()
		return true
	}
	return false
}

// remove takes a handle out of the set. The caller holds mu and h.mu.
func (fs *Files) remove(h *handle) {
	last := fs.open[len(fs.open)-1]
	fs.open[h.slot] = last
	last.slot = h.slot
	fs.open[len(fs.open)-1] = nil
	fs.open = fs.open[:len(fs.open)-1]
}

// makeRoom closes a share of the files, because the process has no descriptors left.
func (fs *Files) makeRoom() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for range max(1, len(fs.open)/8) {
		if !fs.evict() {
			return
		}
	}
}

// withDescriptors runs what opens files, again while it fails because the process has no descriptor left, closing some of
// ours before.
func (fs *Files) withDescriptors(open func() error) error {
	for attempt := 0; ; attempt++ {
		err := open()
		if !vfs.IsTooManyFiles(err) || attempt == descriptorRetries {
			return err
		}
		fs.makeRoom()
	}
}

func (fs *Files) openFile(disk vfs.FS, name string, flag int) (f vfs.File, err error) {
	err = fs.withDescriptors(func() error {
		f, err = disk.OpenFile(name, flag, 0o644)
		return err
	})
	return f, err
}

// handle is one file, open or not. It follows its file through renames. Whoever uses the file holds a reference; a removed
// file is closed when the last reference goes.
type handle struct {
	files *Files
	disk  vfs.FS
	used  atomic.Bool // since the clock's hand last passed

	mu   sync.Mutex
	name string // its path now
	file vfs.File
	refs int
	slot int  // place in files.open while file is not nil; guarded by files.mu
	gone bool // to be closed for good
}

// errGone is returned for a file that was removed or whose log was closed.
var errGone = errors.New("file is closed for good")

// acquire returns the open file, opening it if need be, and a reference on it: release it. With create a missing file
// is created.
func (h *handle) acquire(create bool) (vfs.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file == nil {
		if h.gone {
			return nil, fmt.Errorf("%s: %w", h.name, errGone)
		}
		flag := os.O_RDWR
		if create {
			flag |= os.O_CREATE
		}
		f, err := h.files.openFile(h.disk, h.name, flag)
		if err != nil {
			return nil, err
		}
		h.file = f
		h.files.admit(h)
	}
	h.refs++
	if !h.used.Load() {
		h.used.Store(true)
	}
	return h.file, nil
}

func (h *handle) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refs == 0 {
		panic("storage: release of " + h.name + " without acquire")
	}
	h.refs--
	if h.gone && h.refs == 0 {
		h.shut()
	}
}

func (h *handle) inUse() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refs > 0
}

// closeForGood closes the file when the last reference goes; it is not opened again.
func (h *handle) closeForGood() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = true
	if h.refs == 0 {
		h.shut()
	}
}

// letGo closes the file unless it is in use; it is opened again when it is needed.
func (h *handle) letGo() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refs == 0 {
		h.shut()
	}
}

// shut closes the file. The caller holds mu; nobody else uses it.
func (h *handle) shut() {
	if h.file == nil {
		return
	}
	h.files.mu.Lock()
	h.files.remove(h)
	h.files.mu.Unlock()
	_ = h.file.Close() // see evict
	h.file = nil
}

// rename moves the file; a missing one is fine, as not every segment has every file.
func (h *handle) rename(name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.disk.Rename(h.name, name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	h.name = name
	return nil
}

// remove deletes the file and closes it once nobody uses it. A missing one is fine.
func (h *handle) remove() error {
	h.closeForGood()
	if err := h.disk.Remove(h.name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
