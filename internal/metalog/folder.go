package metalog

import (
	"fmt"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

const (
	logSuffix        = ".log"
	checkpointSuffix = ".checkpoint"
	partialSuffix    = ".checkpoint.part"
	offsetDigits     = 20
	epochDigits      = 10
)

// satellites are the files that Kafka keeps beside a segment.
func satellites() []string { return []string{".index", ".timeindex", ".txnindex", ".snapshot"} }

func (l *Log) path(name string) string { return filepath.Join(l.o.Dir, name) }

func segmentName(base int64) string { return fmt.Sprintf("%0*d%s", offsetDigits, base, logSuffix) }

func checkpointName(p Position) string {
	return fmt.Sprintf("%0*d-%0*d%s", offsetDigits, p.Offset, epochDigits, p.Epoch, checkpointSuffix)
}

// parseCheckpointName gives the position in a name like 00000000000000000048-0000000001.checkpoint.
func parseCheckpointName(name string) (Position, bool) {
	stem, ok := strings.CutSuffix(name, checkpointSuffix)
	if !ok || len(stem) != offsetDigits+1+epochDigits || stem[offsetDigits] != '-' {
		return Position{}, false
	}
	offset, errOffset := strconv.ParseUint(stem[:offsetDigits], 10, 63)
	epoch, errEpoch := strconv.ParseUint(stem[offsetDigits+1:], 10, 31)
	return Position{Offset: int64(offset), Epoch: int32(epoch)}, errOffset == nil && errEpoch == nil
}

func parseSegmentName(name string) (int64, bool) {
	stem, ok := strings.CutSuffix(name, logSuffix)
	if !ok || len(stem) != offsetDigits {
		return 0, false
	}
	base, err := strconv.ParseUint(stem, 10, 63)
	return int64(base), err == nil
}

// list finds segments and checkpoints, and removes checkpoints that were never finished.
func (l *Log) list() error {
	entries, err := l.o.FS.ReadDir(l.o.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasSuffix(name, partialSuffix) {
			if err := l.o.FS.Remove(l.path(name)); err != nil {
				return fmt.Errorf("remove an unfinished checkpoint: %w", err)
			}
			continue
		}
		base, isSegment := parseSegmentName(name)
		position, isCheckpoint := parseCheckpointName(name)
		if !isSegment && !isCheckpoint {
			continue
		}
		info, err := l.o.FS.Stat(l.path(name))
		if err != nil {
			return err
		}
		if isSegment {
			l.segments = append(l.segments, segment{base: base, name: l.path(name), size: info.Size()})
		} else {
			l.checkpoints = append(l.checkpoints, checkpointFile{position, info.Size(), l.checkpointTime(name)})
		}
	}
	sort.Slice(l.segments, func(i, j int) bool { return l.segments[i].base < l.segments[j].base })
	sort.Slice(l.checkpoints, func(i, j int) bool { return l.checkpoints[i].before(l.checkpoints[j].Position) })
	return nil
}

// checkpointTime is that of the last record that a checkpoint holds, as its header says; now if it cannot be read.
func (l *Log) checkpointTime(name string) time.Time {
	for r, err := range scanFile(l.o.FS, l.path(name)) {
		if err == nil && r.header.MaxTimestamp > 0 {
			return time.UnixMilli(r.header.MaxTimestamp)
		}
		break
	}
	return l.o.Now()
}

func (p Position) before(other Position) bool {
	if p.Offset != other.Offset {
		return p.Offset < other.Offset
	}
	return p.Epoch < other.Epoch
}

// removeSegments removes segments from i up to j, with what Kafka left beside them.
func (l *Log) removeSegments(i, j int) error {
	for _, s := range l.segments[i:j] {
		for _, suffix := range satellites() {
			name := strings.TrimSuffix(s.name, logSuffix) + suffix
			if err := l.o.FS.Remove(name); ignoreNotExist(err) != nil {
				return err
			}
		}
		if err := l.o.FS.Remove(s.name); ignoreNotExist(err) != nil {
			return err
		}
	}
	l.segments = append(l.segments[:i:i], l.segments[j:]...)
	return nil
}

// epochStart is a line of leader-epoch-checkpoint.
type epochStart struct {
	epoch int32
	start int64
}

const (
	epochFile     = "leader-epoch-checkpoint"
	maxEpochLines = 100_000
)

// readEpochs takes the lines that are still true at a position. The file helps Kafka only, so a bad one is an empty one.
func (l *Log) readEpochs(at Position) {
	l.epochs = nil
	b, err := vfs.ReadFile(l.o.FS, l.path(epochFile))
	if err != nil {
		return
	}
	lines := strings.Fields(string(b))
	if len(lines) < 2 || lines[0] != "0" || len(lines) > 2+2*maxEpochLines {
		return
	}
	for fields := lines[2:]; len(fields) >= 2; fields = fields[2:] {
		epoch, errEpoch := strconv.ParseInt(fields[0], 10, 32)
		start, errStart := strconv.ParseInt(fields[1], 10, 64)
		if errEpoch != nil || errStart != nil || int32(epoch) > at.Epoch || start >= at.Offset {
			return
		}
		l.epochs = append(l.epochs, epochStart{int32(epoch), start})
	}
}

// noteEpoch adds a line when a leader's first batch comes. Kafka can rebuild the file, so a failure is only logged.
func (l *Log) noteEpoch(epoch int32, start int64) {
	if n := len(l.epochs); n > 0 && l.epochs[n-1].epoch >= epoch {
		return
	}
	l.epochs = append(l.epochs, epochStart{epoch, start})
	if n := len(l.epochs); n > maxEpochLines {
		l.epochs = l.epochs[n-maxEpochLines:]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "0\n%d\n", len(l.epochs))
	for _, e := range l.epochs {
		fmt.Fprintf(&b, "%d %d\n", e.epoch, e.start)
	}
	if err := vfs.WriteFileAtomic(l.o.FS, l.path(epochFile), []byte(b.String()), false); err != nil {
		l.o.Logger.Warn("metadata log: leader epochs not written", "err", err)
	}
}
