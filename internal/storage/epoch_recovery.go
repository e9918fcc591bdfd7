package storage

import (
	"errors"
	"io"
	"slices"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// recoverEpochs loads the history of leader epochs. For what was scanned the batches themselves tell, and so they do
// where the file begins too late or is missing.
func (r *recovery) recoverEpochs() error {
	l := r.log
	entries, _, err := loadEpochs(&l.place)
	if err != nil && !errors.Is(err, errBadCheckpoint) {
		return err
	}
	start, end := l.start.Load(), l.end.Load()
	known := int64(maxOffset)
	if len(entries) > 0 {
		known = entries[0].StartOffset
	}
	if start < known && start < end {
		l.logger.Info("leader epochs are read from the batches", "log", l.place.dir, "from", start, "cause", err)
		before, err := scanEpochs(r.list, known)
		if err != nil {
			return err
		}
		entries = append(before, slices.DeleteFunc(entries, func(e EpochEntry) bool {
			return len(before) > 0 && e.Epoch <= before[len(before)-1].Epoch
		})...)
	}
	if r.scanned < len(r.list) {
		scannedFrom := r.list[r.scanned].base
		entries = slices.DeleteFunc(entries, func(e EpochEntry) bool { return e.StartOffset >= scannedFrom && e.StartOffset < end })
	}
	l.epochs.entries = entries
	for _, e := range r.epochs {
		l.epochs.assign(e.Epoch, e.StartOffset)
	}
	l.epochs.truncateEnd(max(end, start+1))
	l.epochs.truncateStart(start)
	return nil // written before the next append, so that a full disk does not keep a log from opening
}

// scanEpochs walks the batches below an offset for their epochs.
func scanEpochs(list []*segment, below int64) ([]EpochEntry, error) {
	var found recovery
	for _, s := range list {
		if s.base >= below {
			break
		}
		err := s.withFile(logFile, false, func(f vfs.File) error {
			scan := headerScan{file: f, base: s.base, end: s.size, next: s.base, buf: scanBuffer(s.size)}
			for {
				h, err := scan.header()
				if errors.Is(err, io.EOF) || isCorrupt(err) || err == nil && h.BaseOffset >= below {
					return nil
				}
				if err != nil {
					return err
				}
				found.noteEpoch(h)
				scan.skip(h)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return found.epochs, nil
}
