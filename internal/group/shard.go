package group

import (
	"iter"
	"time"

	"github.com/tidwall/btree"

	"github.com/barnabas-mq/barnabas/internal/machine"
)

// Shard is all groups and offsets of one partition of __consumer_offsets. It is immutable, with one exception that is
// explained at session.
type Shard struct {
	config *Config

	groups  *btree.Map[string, *Group]
	kinds   *btree.Map[string, Kind] // groups of the newer kinds
	offsets *offsets
	// Offsets of open transactions, in both orders in which they are asked for.
	pendingByProducer  *pendingOffsets
	pendingByPartition *pendingOffsets
	sequence           uint64 // counts the offset records that were replayed

	// What follows is volatile: no record carries it.
	timers *timers
	expiry expiry
}

func newShard(config *Config) *Shard {
	return &Shard{
		config:             config,
		groups:             new(btree.Map[string, *Group]),
		kinds:              new(btree.Map[string, Kind]),
		offsets:            newOffsets(),
		pendingByProducer:  newPendingByProducer(),
		pendingByPartition: newPendingByPartition(),
		timers:             newTimers(),
	}
}

// Groups gives the classic groups by id.
func (s *Shard) Groups() iter.Seq[*Group] {
	return func(yield func(*Group) bool) {
		s.groups.Scan(func(_ string, g *Group) bool { return yield(g) })
	}
}

// Offsets gives the committed offsets by group, topic and partition.
func (s *Shard) Offsets() iter.Seq[*Offset] {
	return func(yield func(*Offset) bool) { s.offsets.Scan(yield) }
}

// Options completes what a machine needs to run the shard: how it replays, what its records take and when it wants to
// be asked. The caller adds the log and the names.
func (s *Shard) Options() machine.Options[*Shard, Change] {
	return machine.Options[*Shard, Change]{
		State:      s,
		Replay:     Replay,
		Timer:      Timer,
		Size:       Change.Size,
		BatchBytes: s.config.MaxRecordBytes,
	}
}

// Replay gives the shard after the change and leaves s as it is.
func Replay(s *Shard, change Change) *Shard {
	e := newEdit(s, 0)
	for _, r := range change {
		e.replay(r)
	}
	return e.shard
}

// Loader makes a shard from a log.
type Loader struct{ e *edit }

// NewLoader starts with nothing.
func NewLoader(config *Config) *Loader {
	return &Loader{newEdit(newShard(config), 0)}
}

// Replay takes the next record of the log.
func (l *Loader) Replay(r Record) { l.e.replay(r) }

// Loaded is the shard that the records made, with its members' sessions and the expiry of offsets running from now on.
func (l *Loader) Loaded(now time.Time) *Shard {
	l.e.now = now.UnixMilli()
	l.e.loaded()
	return l.e.shard
}

// edit is a shard in the making: the one it began with stays as it is. It also gathers the decision.
type edit struct {
	before  *Shard
	shard   *Shard
	now     int64 // milliseconds
	change  Change
	size    int // of change
	replies []func(error)

	owned       map[*Group]struct{} // groups that only this edit has seen
	ownGroups   bool
	ownKinds    bool
	ownOffsets  bool
	ownPendings bool
	ownTimers   bool
}

func newEdit(s *Shard, now int64) *edit {
	next := *s
	return &edit{before: s, shard: &next, now: now}
}

// decide makes an event of a function that edits.
func decide(f func(e *edit)) Event {
	return func(s *Shard, now time.Time) Decision {
		e := newEdit(s, now.UnixMilli())
		f(e)
		return e.decision()
	}
}

func (e *edit) decision() Decision {
	d := Decision{State: e.shard, Replies: e.replies}
	if len(e.change) > 0 {
		d.Records = []Change{e.change}
	}
	return d
}

func (e *edit) write(r Record) {
	e.change = append(e.change, r)
	e.size += recordSize(r)
}

// full says that what else there is to write should be left to the next decision. A decision that has written nothing
// is never full: however small the limit, each gets on.
func (e *edit) full() bool {
	return len(e.change) >= maxRecordsAtOnce || len(e.change) > 0 && e.size >= e.shard.config.MaxRecordBytes()/2
}

// tooLarge says that no record may hold what this decision writes.
func (e *edit) tooLarge() bool { return e.size > e.shard.config.MaxRecordBytes() }

func (e *edit) groups() *btree.Map[string, *Group] {
	if !e.ownGroups {
		e.shard.groups, e.ownGroups = e.shard.groups.Copy(), true
	}
	return e.shard.groups
}

func (e *edit) kinds() *btree.Map[string, Kind] {
	if !e.ownKinds {
		e.shard.kinds, e.ownKinds = e.shard.kinds.Copy(), true
	}
	return e.shard.kinds
}

func (e *edit) offsets() *offsets {
	if !e.ownOffsets {
		e.shard.offsets, e.ownOffsets = e.shard.offsets.Copy(), true
	}
	return e.shard.offsets
}

func (e *edit) pendings() (byProducer, byPartition *pendingOffsets) {
	if !e.ownPendings {
		e.shard.pendingByProducer = e.shard.pendingByProducer.Copy()
		e.shard.pendingByPartition = e.shard.pendingByPartition.Copy()
		e.ownPendings = true
	}
	return e.shard.pendingByProducer, e.shard.pendingByPartition
}

func (e *edit) timers() *timers {
	if !e.ownTimers {
		e.shard.timers, e.ownTimers = e.shard.timers.Copy(), true
	}
	return e.shard.timers
}

// own gives the group's copy that this edit may change.
func (e *edit) own(g *Group) *Group {
	if _, ok := e.owned[g]; ok {
		return g
	}
	g = g.clone()
	e.put(g)
	return g
}

// put takes a group that nobody else has seen.
func (e *edit) put(g *Group) {
	if e.owned == nil {
		e.owned = make(map[*Group]struct{}, 1)
	}
	e.owned[g] = struct{}{}
	e.groups().Set(g.ID, g)
}

// create adds an empty group, which is a simple one until somebody joins.
func (e *edit) create(id string) *Group {
	g := &Group{ID: id, State: Empty, Since: e.now}
	e.put(g)
	return g
}
