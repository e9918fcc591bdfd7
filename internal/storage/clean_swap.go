package storage

import (
	"errors"
	"slices"
)

// replace puts a cleaned segment, whole and synced, in the place of the group that it was made of. What a crash leaves:
//
//	before the renaming to .swap is durable   the group; the .cleaned files are removed at the next start
//	after it                                  the new segment; the next start goes on from here
//
// Both syncs of the directory are outside of the log's lock. If the group is not in the log any more as it was read,
// nothing changes but the .cleaned files.
func (l *Log) replace(group []*segment, cuts []uint32, cleaned *segment) error {
	cleaned.dirty = false
	err := cleaned.rename(stageSwap)
	if err == nil {
		err = l.place.disk.SyncDir(l.place.dir)
	}
	if err != nil {
		return errors.Join(err, cleaned.remove())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	list, at, err := l.find(group, cuts)
	if err != nil {
		return errors.Join(err, cleaned.remove())
	}
	return l.swap(list, at, group, cleaned)
}

// find returns the segments and where among them the group is, if that is as it was read. The caller holds mu.
func (l *Log) find(group []*segment, cuts []uint32) (list []*segment, at int, err error) {
	if list, err = l.listLocked(); err != nil {
		return nil, 0, err
	}
	at = slices.Index(list, group[0])
	if at < 0 || at+len(group) >= len(list) || !slices.Equal(list[at:at+len(group)], group) {
		return nil, 0, ErrCleanAborted
	}
	for i, s := range group {
		if s.cuts.Load() != cuts[i] {
			return nil, 0, ErrCleanAborted
		}
	}
	return list, at, nil
}

// swap is the part of replace that must not be left half-way by anything but a crash: an error ends the log's use, since its
// files are then neither the old nor the new ones. The caller holds mu.
func (l *Log) swap(list []*segment, at int, group []*segment, cleaned *segment) error {
	l.directoryDirty = true
	l.publishSegments(slices.Concat(list[:at], []*segment{cleaned}, list[at+len(group):]))
	err := l.doom(group)
	if err == nil {
		err = cleaned.rename(stageLive)
	}
	for _, s := range group[1:] {
		if l.producers == nil || l.producers.lastSnapshot != s.base {
			err = errors.Join(err, l.removeStraySnapshot(s.base))
		}
	}
	if err != nil {
		l.fail(err)
	}
	return err
}
