package replica

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

// Placement says in which data directory a replica of this broker lies.
type Placement struct {
	Topic     meta.ID
	Partition int32
	Directory meta.ID // meta.DirectoryLost: in one that is not here
}

var (
	errNotHere = errors.New("its log is not in any data directory of log.dirs, and an empty one must not take its place: " +
		"mount or name the directory again, or delete the topic")
	errTwice = errors.New("its log is in more than one data directory: move away what is wrong and start again")
)

// placing finds and chooses data directories in one Apply.
type placing struct {
	m       *Manager
	held    map[holding]meta.ID // logs found at the start that are no replica's yet, and their topics' ids
	absent  []meta.ID           // directories that the broker last had and has no more; known at the start only
	reports []Placement         // where replicas lie, if the image does not say so
	anew    int                 // replicas whose logs are not here, and are fetched from others
}

// holding is a log found in a data directory at the start.
type holding struct {
	dir       *logdir.Dir
	topic     string
	partition int32
}

func (m *Manager) newPlacing(image *meta.Image, first bool) *placing {
	p := &placing{m: m}
	if !first {
		return p
	}
	p.held = make(map[holding]meta.ID)
	for _, dir := range m.o.Dirs {
		for ref := range dir.Partitions() {
			p.held[holding{dir, ref.Topic, ref.Partition}] = ref.TopicID
		}
	}
	if b, ok := image.Broker(m.o.NodeID); ok {
		p.absent = slices.DeleteFunc(slices.Clone(b.LogDirs), func(id meta.ID) bool { return m.dir(id) != nil })
	}
	if len(p.absent) > 0 {
		m.o.Logger.Warn("data directories that this broker had are not among log.dirs any more", "directory_ids", formatIDs(p.absent))
	}
	return p
}

// dir finds a data directory by its id, or nil.
func (m *Manager) dir(id meta.ID) *logdir.Dir {
	for _, dir := range m.o.Dirs {
		if dir.Identity().DirectoryID == id {
			return dir
		}
	}
	return nil
}

// place decides in which directory a replica's log is or will be. It goes where the log is; without one, where the controller
// knows it to be; and a new one to the directory with the fewest. A log that may be in a directory which is not here
// is not made anew: an empty one would lead, and lose to it when it comes back. Where others lead, and nobody counts on this
// replica, it is: it gets from them what a lost disk held.
func (p *placing) place(t *meta.Topic, index int32) (*logdir.Dir, error) {
	recorded := p.recorded(t.Partitions[index])
	at, found := p.m.dir(recorded), p.find(t, index)
	switch {
	case at != nil && slices.Contains(found, at):
		delete(p.held, holding{at, t.Name, index})
		return at, nil
	case at != nil && len(found) == 0:
		return at, nil // what has the name there is another topic's, and is set aside
	case len(found) > 0:
		for _, dir := range found {
			delete(p.held, holding{dir, t.Name, index})
		}
		if len(found) > 1 {
			return nil, errTwice
		}
		return found[0], nil
	case !known(recorded) && len(p.absent) == 0:
		return p.emptiest(), nil
	case p.m.isSpare(t.Partitions[index]):
		p.anew++
		return p.emptiest(), nil
	case known(recorded):
		return nil, fmt.Errorf("directory %s: %w", meta.FormatID(recorded), errNotHere)
	}
	return nil, fmt.Errorf("one of directories %s: %w", formatIDs(p.absent), errNotHere)
}

// emptiest is the directory with the fewest replicas.
func (p *placing) emptiest() *logdir.Dir {
	return slices.MinFunc(p.m.o.Dirs, func(a, b *logdir.Dir) int { return p.m.lodgers[a] - p.m.lodgers[b] })
}

// isSpare says that another broker leads a partition, and that what this one has of it, if anything, is relied on by nobody.
func (m *Manager) isSpare(state *meta.Partition) bool {
	id := m.o.NodeID
	return state.Leader >= 0 && state.Leader != id && !slices.Contains(state.ISR, id) && !slices.Contains(state.ELR, id) &&
		!slices.Contains(state.LastKnownELR, id)
}

// find lists the directories that have a log of the partition or, when there is none, one that was set aside.
func (p *placing) find(t *meta.Topic, index int32) (found []*logdir.Dir) {
	for _, dir := range p.m.o.Dirs {
		if id, ok := p.held[holding{dir, t.Name, index}]; ok && (id == t.ID || id == meta.ID{}) {
			found = append(found, dir)
		}
	}
	if len(found) > 0 {
		return found
	}
	for _, dir := range p.m.o.Dirs {
		if dir.HasStray(t.ID, index) {
			found = append(found, dir)
		}
	}
	return found
}

// recorded is the directory that the image knows of this broker's replica.
func (p *placing) recorded(state *meta.Partition) meta.ID {
	at := slices.Index(state.Replicas, p.m.o.NodeID)
	if at < 0 || at >= len(state.Directories) {
		return meta.DirectoryMigrating
	}
	return state.Directories[at]
}

// known tells a recorded directory, be it a lost one, from one that the controller has yet to hear of.
func known(recorded meta.ID) bool {
	return recorded != meta.DirectoryUnassigned && recorded != meta.DirectoryMigrating
}

// report notes where a replica lies, unless the image says so. Of one that is not here it keeps what is recorded.
func (p *placing) report(topic meta.ID, index int32, dir *logdir.Dir, state *meta.Partition) {
	recorded, is := p.recorded(state), meta.DirectoryLost
	switch {
	case dir != nil:
		is = dir.Identity().DirectoryID
	case known(recorded):
		return
	}
	if is != recorded {
		p.reports = append(p.reports, Placement{topic, index, is})
	}
}

// setAside renames the logs that no topic of the image owns. They may be the last copy of something, so they are kept
// for a person to judge.
func (p *placing) setAside() {
	for at, id := range p.held {
		if err := at.dir.Stray(at.topic, at.partition, id); err != nil {
			p.m.o.Logger.Error("an unknown log could not be set aside", "topic", at.topic, "partition", at.partition, "error", err)
		}
	}
}

func formatIDs(ids []meta.ID) string {
	var out []string
	for _, id := range ids {
		out = append(out, meta.FormatID(id))
	}
	return strings.Join(out, ", ")
}
