package storage

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// finishSwaps brings to an end what a crash interrupted: deletions (.deleted), compactions that had not decided
// (.cleaned) and those that had (.swap).
//
// Compaction renames its new segments from .cleaned to .swap from the last to the first, and only then drops the
// originals. So while there is a .cleaned file, a .swap file at or above it belongs to a compaction that had not
// decided: it goes, and before the .cleaned file that tells so.
func (l *Log) finishSwaps() error {
	entries, err := l.place.list()
	if err != nil {
		return err
	}
	lowestCleaned := int64(math.MaxInt64)
	var undecided, swaps, leftovers []string
	for _, e := range entries {
		name := e.Name()
		base, suffix, ok := parseOffsetName(name)
		switch {
		case strings.HasSuffix(name, temporarySuffix), ok && strings.HasSuffix(suffix, deletedSuffix):
			leftovers = append(leftovers, name)
		case ok && strings.HasSuffix(suffix, cleanedSuffix):
			lowestCleaned = min(lowestCleaned, base)
			leftovers = append(leftovers, name)
		case ok && strings.HasSuffix(suffix, swapSuffix):
			swaps = append(swaps, name)
		}
	}
	decided := swaps[:0]
	for _, name := range swaps {
		if base, _, _ := parseOffsetName(name); base >= lowestCleaned {
			undecided = append(undecided, name)
		} else {
			decided = append(decided, name)
		}
	}
	for _, name := range append(undecided, leftovers...) {
		if err := l.place.disk.Remove(l.place.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return l.swapIn(decided)
}

// swapIn removes what decided swaps replace, durably, and then renames them to life.
func (l *Log) swapIn(names []string) error {
	if len(names) == 0 {
		return nil
	}
	var swaps []*segment
	for _, name := range names {
		base, suffix, _ := parseOffsetName(name)
		if suffix != logFile.suffix()+swapSuffix {
			continue
		}
		s := newSegment(&l.place, base)
		s.stage.Store(stageSwap)
		if err := s.measure(); err != nil {
			return err
		}
		if err := l.removeReplaced(s); err != nil {
			return err
		}
		swaps = append(swaps, s)
	}
	if err := l.place.syncDir(); err != nil {
		return err
	}
	for _, s := range swaps {
		l.logger.Info("finishing an interrupted compaction", "log", l.place.dir, "segment", s.base)
		if err := s.rename(stageLive); err != nil {
			return err
		}
		s.close()
	}
	// Indexes whose log was renamed before the crash.
	for _, name := range names {
		err := l.place.disk.Rename(l.place.path(name), l.place.path(strings.TrimSuffix(name, swapSuffix)))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// measure finds size and next offset of a segment that was written whole.
func (s *segment) measure() error {
	return s.withFile(logFile, false, func(f vfs.File) error {
		size, err := f.Size()
		if err != nil {
			return err
		}
		scan := headerScan{file: f, base: s.base, end: size, next: s.base, buf: scanBuffer(size)}
		for {
			h, err := scan.header()
			if errors.Is(err, io.EOF) {
				s.size, s.next = size, scan.next
				return nil
			}
			if err != nil {
				return fmt.Errorf("measure: %w", err)
			}
			scan.skip(h)
		}
	})
}

// removeReplaced removes the live segments whose base lies in a swapped-in one.
func (l *Log) removeReplaced(swapped *segment) error {
	d, err := l.readDirectory()
	if err != nil {
		return err
	}
	for _, base := range d.segments {
		if base < swapped.base || base != swapped.base && base >= swapped.next {
			continue
		}
		if err := newSegment(&l.place, base).remove(); err != nil {
			return err
		}
	}
	return nil
}
