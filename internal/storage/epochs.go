package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	epochCheckpointName    = "leader-epoch-checkpoint"
	epochCheckpointVersion = 0
	// maxEpochEntries bounds what is read from a file: a partition would have to change its leader each second for
	// two weeks to have more.
	maxEpochEntries = 1 << 20
)

// epochs is the history of leader epochs in a log, oldest first; both fields of the entries grow. Truncation by
// epoch (KIP-101) rests on it.
type epochs struct {
	mu      sync.RWMutex
	entries []EpochEntry // replaced, never changed in place
	ahead   bool         // of the file
	unborn  bool         // ahead by the last entry alone
	written bool         // the file has changed since it was last synced
}

func (e *epochs) latest() EpochEntry {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if len(e.entries) == 0 {
		return EpochEntry{-1, -1}
	}
	return e.entries[len(e.entries)-1]
}

// assign notes that an epoch begins at an offset. Entries that contradict it are dropped: they are of leaders whose
// records were never kept.
func (e *epochs) assign(epoch int32, start int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if epoch < 0 || start < 0 {
		return
	}
	if n := len(e.entries); n > 0 && e.entries[n-1].Epoch == epoch && e.entries[n-1].StartOffset <= start {
		return
	}
	keep := len(e.entries)
	for keep > 0 && (e.entries[keep-1].Epoch >= epoch || e.entries[keep-1].StartOffset >= start) {
		keep--
	}
	byLast := !e.ahead && keep == len(e.entries) || e.unborn && keep >= len(e.entries)-1
	e.set(append(slices.Clone(e.entries[:keep]), EpochEntry{epoch, start}))
	e.unborn = byLast
}

// set replaces the entries. The caller holds mu.
func (e *epochs) set(entries []EpochEntry) { e.entries, e.ahead, e.unborn = entries, true, false }

// restore takes what a manifest knows. An epoch in which nothing was appended may not be in the file.
func (e *epochs) restore(entries []EpochEntry, end int64) {
	e.entries = entries
	e.unborn = len(entries) > 0 && entries[len(entries)-1].StartOffset >= end
	e.ahead = e.unborn
}

// end answers where the largest epoch up to the asked one ends, given the log's end. An epoch before all known ones ends
// where they begin; one after all known ones is unknown.
func (e *epochs) end(asked int32, logEnd int64) (found int32, end int64) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	n := len(e.entries)
	if asked < 0 || n == 0 || asked > e.entries[n-1].Epoch {
		return -1, -1
	}
	if asked == e.entries[n-1].Epoch {
		return asked, logEnd
	}
	higher := slices.IndexFunc(e.entries, func(x EpochEntry) bool { return x.Epoch > asked })
	if higher == 0 {
		return asked, e.entries[0].StartOffset
	}
	return e.entries[higher-1].Epoch, e.entries[higher].StartOffset
}

// at is the epoch of the record at an offset, -1 if unknown.
func (e *epochs) at(offset int64) int32 {
	return epochAt(e.all(), offset)
}

func epochAt(entries []EpochEntry, offset int64) int32 {
	for _, e := range slices.Backward(entries) {
		if e.StartOffset <= offset {
			return e.Epoch
		}
	}
	return -1
}

// truncateEnd drops the epochs that begin at or behind an offset.
func (e *epochs) truncateEnd(to int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	keep := len(e.entries)
	for keep > 0 && e.entries[keep-1].StartOffset >= to {
		keep--
	}
	if keep < len(e.entries) {
		e.set(slices.Clone(e.entries[:keep]))
	}
}

// truncateStart drops the epochs that ended before an offset, and lets the one that holds it begin there.
func (e *epochs) truncateStart(start int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	first := -1
	for i, x := range e.entries {
		if x.StartOffset <= start {
			first = i
		}
	}
	if first < 0 || first == 0 && e.entries[0].StartOffset == start {
		return
	}
	entries := slices.Clone(e.entries[first:])
	entries[0].StartOffset = start
	e.set(entries)
}

func (e *epochs) clear() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.entries) > 0 {
		e.set(nil)
	}
}

func (e *epochs) all() []EpochEntry {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.entries
}

// persist writes the file if memory is ahead of it, but not for an epoch alone that has no record below end: it reaches the
// disk with its first append, else thousands of logs would write a file each when they change their leader. Without sync a
// power cut may lose it: recovery then reads the epochs from the batches. With sync it is made durable even if it was
// written before. The caller holds Log.mu, which orders the writes.
func (e *epochs) persist(p *place, sync bool, end int64) error {
	e.mu.RLock()
	entries, needed := e.entries, e.behind(end) || sync && e.written
	e.mu.RUnlock()
	if !needed {
		return nil
	}
	if err := p.writeFile(p.path(epochCheckpointName), encodeEpochs(entries), sync); err != nil {
		return fmt.Errorf("leader epochs: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ahead, e.unborn, e.written = false, false, !sync
	return nil
}

// behind says that the file lacks an epoch that has a record below end, or has too many. The caller holds mu.
func (e *epochs) behind(end int64) bool {
	return e.ahead && !(e.unborn && e.entries[len(e.entries)-1].StartOffset >= end)
}

// unwritten says that persist has something to do to make the epochs durable.
func (e *epochs) unwritten(end int64) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.behind(end) || e.written
}

// errBadCheckpoint says that a checkpoint file is not what was once written whole.
var errBadCheckpoint = errors.New("damaged checkpoint")

// loadEpochs reads the file. present is false if there is none.
func loadEpochs(p *place) (entries []EpochEntry, present bool, err error) {
	b, err := p.readFile(p.path(epochCheckpointName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("leader epochs: %w", err)
	}
	entries, err = decodeEpochs(b)
	if err != nil {
		return nil, true, fmt.Errorf("%s: %w", epochCheckpointName, err)
	}
	return entries, true, nil
}

// encodeEpochs writes Kafka's text: version, number of entries, and a line "epoch offset" for each.
func encodeEpochs(entries []EpochEntry) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d\n%d\n", epochCheckpointVersion, len(entries))
	for _, e := range entries {
		fmt.Fprintf(&b, "%d %d\n", e.Epoch, e.StartOffset)
	}
	return b.Bytes()
}

func decodeEpochs(b []byte) ([]EpochEntry, error) {
	lines := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	if len(lines) < 2 || strings.TrimSpace(lines[0]) != strconv.Itoa(epochCheckpointVersion) {
		return nil, fmt.Errorf("no version %d: %w", epochCheckpointVersion, errBadCheckpoint)
	}
	n, err := strconv.Atoi(strings.TrimSpace(lines[1]))
	if err != nil || n < 0 || n > maxEpochEntries || n != len(lines)-2 {
		return nil, fmt.Errorf("%q entries announced, %d lines: %w", lines[1], len(lines)-2, errBadCheckpoint)
	}
	entries := make([]EpochEntry, 0, n)
	for _, line := range lines[2:] {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			return nil, fmt.Errorf("line %q: %w", line, errBadCheckpoint)
		}
		epoch, err1 := strconv.ParseInt(fields[0], 10, 32)
		start, err2 := strconv.ParseInt(fields[1], 10, 64)
		if err1 != nil || err2 != nil || epoch < 0 || start < 0 {
			return nil, fmt.Errorf("line %q: %w", line, errBadCheckpoint)
		}
		if n := len(entries); n > 0 && (int32(epoch) <= entries[n-1].Epoch || start < entries[n-1].StartOffset) {
			return nil, fmt.Errorf("line %q does not follow the one before: %w", line, errBadCheckpoint)
		}
		entries = append(entries, EpochEntry{int32(epoch), start})
	}
	return entries, nil
}
