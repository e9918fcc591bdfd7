package vfs

import (
	"io"
	"io/fs"
	"slices"
	"syscall"
)

// memFile is an open file of Mem. It stays usable when its name is moved or removed.
type memFile struct {
	disk     *Mem
	node     *node
	name     string
	writable bool
	closed   bool // under disk.mu
}

func (f *memFile) Name() string { return f.name }

// begin is Mem.begin for an open file.
func (f *memFile) begin(op Op) error {
	op.Name = f.name
	if err := f.disk.begin(op); err != nil {
		return err
	}
	if f.closed {
		f.disk.mu.Unlock()
		return pathError(op, fs.ErrClosed)
	}
	return nil
}

func (f *memFile) ReadAt(p []byte, offset int64) (int, error) {
	op := Op{Kind: OpRead, Offset: offset, Length: len(p)}
	if err := f.begin(op); err != nil {
		return 0, err
	}
	defer f.disk.mu.Unlock()
	if offset < 0 {
		return 0, pathError(op, fs.ErrInvalid)
	}
	if offset >= int64(len(f.node.data)) {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	n := copy(p, f.node.data[offset:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, offset int64) (int, error) {
	op := Op{Kind: OpWrite, Name: f.name, Offset: offset, Length: len(p)}
	if err := f.begin(op); err != nil {
		return 0, err
	}
	defer f.disk.mu.Unlock()
	if !f.writable {
		return 0, pathError(op, syscall.EBADF)
	}
	if offset < 0 || offset+int64(len(p)) > maxMemFile {
		return 0, pathError(op, fs.ErrInvalid)
	}
	if len(p) == 0 {
		return 0, nil
	}
	grows := max(offset+int64(len(p))-int64(len(f.node.data)), 0)
	if room := f.disk.capacity - f.disk.used; f.node.links > 0 && grows > room {
		// As real disks do, as much as fits is written.
		n := max(int64(len(p))-(grows-max(room, 0)), 0)
		f.disk.write(f.node, p[:n], offset)
		return int(n), pathError(op, syscall.ENOSPC)
	}
	f.disk.write(f.node, p, offset)
	return len(p), nil
}

func (f *memFile) Size() (int64, error) {
	if err := f.begin(Op{Kind: OpStat}); err != nil {
		return 0, err
	}
	defer f.disk.mu.Unlock()
	return int64(len(f.node.data)), nil
}

func (f *memFile) Truncate(size int64) error {
	op := Op{Kind: OpTruncate, Name: f.name, Offset: size}
	if err := f.begin(op); err != nil {
		return err
	}
	defer f.disk.mu.Unlock()
	if size < 0 || size > maxMemFile || !f.writable {
		return pathError(op, fs.ErrInvalid)
	}
	if size != int64(len(f.node.data)) {
		f.disk.resize(f.node, size)
	}
	return nil
}

func (f *memFile) Sync() error {
	if err := f.begin(Op{Kind: OpSync}); err != nil {
		return err
	}
	defer f.disk.mu.Unlock()
	for _, w := range f.node.unsynced {
		f.node.synced = w.apply(f.node.synced)
	}
	f.node.unsynced = nil
	return nil
}

func (f *memFile) Preallocate(offset, length int64) error {
	if err := f.begin(Op{Kind: OpPreallocate, Offset: offset, Length: int(length)}); err != nil {
		return err
	}
	f.disk.mu.Unlock()
	return nil
}

func (f *memFile) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if f.closed {
		return pathError(Op{Kind: OpClose, Name: f.name}, fs.ErrClosed)
	}
	f.closed = true
	f.disk.open--
	return nil
}

// write changes contents as programs see them and notes the change as unsynced.
func (m *Mem) write(n *node, p []byte, offset int64) {
	if len(p) > 0 {
		m.change(n, write{offset: offset, data: slices.Clone(p)})
	}
}

func (m *Mem) resize(n *node, size int64) { m.change(n, write{offset: size}) }

func (m *Mem) change(n *node, w write) {
	before := len(n.data)
	n.data = w.apply(n.data)
	if n.links > 0 {
		m.used += int64(len(n.data) - before)
	}
	n.unsynced = append(n.unsynced, w)
}

// apply returns data with the change made; it may change data.
func (w write) apply(data []byte) []byte {
	end := w.offset + int64(len(w.data))
	if w.data == nil && end < int64(len(data)) {
		// What is cut off must read as zeros if the file grows again.
		clear(data[end:])
		return data[:end]
	}
	if grows := end - int64(len(data)); grows > 0 {
		data = append(data, make([]byte, grows)...)
	}
	copy(data[w.offset:], w.data)
	return data
}
