package metalog

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// ErrNoCheckpoint is what ReadCheckpointAt answers when the folder has no checkpoint for the reference, any more.
var ErrNoCheckpoint = errors.New("no such checkpoint")

// ReadCheckpointAt reads a piece of the checkpoint that a snapshot's reference names, for another node, and gives the size of the
// whole.
func (l *Log) ReadCheckpointAt(data []byte, at int64, limit int) (piece []byte, size int64, err error) {
	r, err := parseReference(data)
	if err != nil {
		return nil, 0, err
	}
	if !l.hasCheckpoint(r.Position) {
		return nil, 0, fmt.Errorf("%w: offset %d, epoch %d", ErrNoCheckpoint, r.Offset, r.Epoch)
	}
	file, err := l.o.FS.OpenFile(l.path(checkpointName(r.Position)), os.O_RDONLY, 0)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	if size, err = file.Size(); err != nil || at < 0 || at >= size {
		return nil, size, err
	}
	piece = make([]byte, min(int64(limit), size-at))
	n, err := file.ReadAt(piece, at)
	if errors.Is(err, io.EOF) && n == len(piece) {
		err = nil
	}
	return piece[:n], size, err
}

// Install keeps a checkpoint that came from another node, durably, so that Restore with the reference finds it. It may be called
// while Apply goes on. The checkpoint is whole or not there, whenever the process ends.
func (l *Log) Install(data []byte, pieces iter.Seq2[[]byte, error]) error {
	r, err := parseReference(data)
	if err != nil || r.Offset == 0 || l.hasCheckpoint(r.Position) {
		return err
	}
	name := l.path(checkpointName(r.Position))
	partial := strings.TrimSuffix(name, checkpointSuffix) + partialSuffix
	size, err := writePieces(l.o.FS, partial, pieces)
	for _, bad := range ReadCheckpoint(l.o.FS, partial) {
		if err == nil {
			err = bad
		}
	}
	if err == nil {
		err = errors.Join(l.o.FS.Rename(partial, name), l.o.FS.SyncDir(l.o.Dir))
	}
	if err != nil {
		return fmt.Errorf("checkpoint at %d from another node: %w", r.Offset, errors.Join(err, ignoreNotExist(l.o.FS.Remove(partial))))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkpoints = append(l.checkpoints, checkpointFile{r.Position, size, time.UnixMilli(r.timestampMs)})
	return nil
}

// writePieces writes and syncs a file.
func writePieces(fs vfs.FS, name string, pieces iter.Seq2[[]byte, error]) (size int64, err error) {
	file, err := fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return 0, err
	}
	for piece, bad := range pieces {
		if bad != nil {
			return size, errors.Join(bad, file.Close())
		}
		n, err := file.WriteAt(piece, size)
		size += int64(n)
		if err != nil {
			return size, errors.Join(err, file.Close())
		}
	}
	return size, errors.Join(file.Sync(), file.Close())
}
