package replica

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/storage"
)

// Partition is this broker's replica of one partition: its log and, while it leads, who waits for what. An idle one
// holds no goroutine, timer or file.
type Partition struct {
	Index int32
	epoch int32 // the newest leader epoch heard of; guarded by mu

	topic *Topic
	dir   *logdir.Dir  // nil when it is in none that is here: offline says so
	log   *storage.Log // nil while it rests, and when it could not be opened: see offline

	// mu orders what moves the log's end, its leadership and the high watermark, so that a fenced leader appends
	// nothing more. It is held across the append's write and nothing else that waits.
	mu       sync.Mutex
	assigned *meta.Partition // the newest state heard of
	resting  bool            // the log is in order, and stays closed until somebody needs it
	used     bool            // the log, since Idle was last asked
	users    atomic.Int32    // of the log who do not hold mu; it grows under mu only, and while it is not 0 the log does not rest
	offline  error           // why there is no log
	leader   *leader
	// durable is the end that a flush has vouched for. The log's own flushed offset runs ahead of it: the folder of a
	// new log becomes durable after the files in it.
	durable int64
	watches watches
	hooks   *hooks // nil but for coordinators' partitions
	gone    error  // set once: the replica was deleted or the broker stops

	highWatermark atomic.Int64 // unknown until the log is there
}

const unknown = -1

// hooks are what a coordinator wants to be told.
type hooks struct {
	onLead    func()      // once, when this broker leads; may be nil
	observers []*observer // with each high watermark
}

// hook returns the partition's hooks for changing. The caller holds mu.
func (p *Partition) hook() *hooks {
	if p.hooks == nil {
		p.hooks = &hooks{}
	}
	return p.hooks
}

// takeOnLead returns what is to be called when this broker leads, and forgets it. The caller holds mu.
func (p *Partition) takeOnLead() func() {
	if p.hooks == nil {
		return nil
	}
	f := p.hooks.onLead
	p.hooks.onLead = nil
	return f
}

// HighWatermark is the offset below which every record is committed. It never moves back while this broker leads.
func (p *Partition) HighWatermark() int64 { return max(p.highWatermark.Load(), 0) }

// open returns the partition's log, or why there is none. The caller holds mu, and uses it no longer than that.
func (p *Partition) open() (*storage.Log, error) {
	p.used = true
	if p.resting {
		if err := p.rouse(); err != nil {
			return nil, fmt.Errorf("partition %s: %w", p, err)
		}
	}
	if p.log == nil && p.offline == nil {
		return nil, fmt.Errorf("partition %s: its log is being opened: %w", p, kerr.NotLeaderForPartition)
	}
	if p.log == nil {
		return nil, fmt.Errorf("partition %s: %w: %w", p, p.offline, kerr.KafkaStorageError)
	}
	return p.log, nil
}

// borrow opens the log and keeps it open until giveBack: so long p.log may be used without mu.
func (p *Partition) borrow() (*storage.Log, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := p.open()
	if err == nil {
		p.users.Add(1)
	}
	return log, err
}

func (p *Partition) giveBack() { p.users.Add(-1) }

// borrowLed is borrow if this broker leads in the expected epoch (-1: any). The caller holds mu.
func (p *Partition) borrowLed(expected int32) (*leader, error) {
	l, err := p.leading(expected)
	if err == nil {
		p.users.Add(1)
	}
	return l, err
}

// borrowFollowing is borrow if this broker follows in the expected epoch (-1: any). The caller holds mu.
func (p *Partition) borrowFollowing(expected int32) error {
	if p.gone != nil {
		return p.gone
	}
	if _, err := p.open(); err != nil {
		return err
	}
	if err := checkEpoch(expected, p.epoch); err != nil {
		return fmt.Errorf("partition %s: %w", p, err)
	}
	p.users.Add(1)
	return nil
}

// Producers lists the log's active producers, by id. The error is NOT_LEADER_OR_FOLLOWER if this broker does not lead.
func (p *Partition) Producers() ([]storage.ProducerState, error) {
	p.mu.Lock()
	_, err := p.borrowLed(-1)
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	defer p.giveBack()
	return p.log.Producers()
}

// Segments tells where the log starts, and lists its segments, oldest first. The error is as for Producers.
func (p *Partition) Segments() (start int64, segments []storage.SegmentInfo, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.leading(-1); err != nil {
		return 0, nil, err
	}
	return p.log.StartOffset(), p.log.Segments(), nil
}

// Extent is how far a log reaches.
type Extent struct{ Start, End, Size int64 }

// Extent tells how far the log reaches, or why there is none. It leaves a resting one closed, and does not keep an idle one open.
func (p *Partition) Extent() (Extent, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if held, ok := p.look(); ok {
		return Extent{held.Start, held.End, held.Size}, nil
	}
	if p.log == nil {
		if _, err := p.open(); err != nil {
			return Extent{}, err
		}
	}
	return Extent{p.log.StartOffset(), p.log.EndOffset(), p.log.Size()}, nil
}

// look tells what is known of a resting log. The caller holds mu.
func (p *Partition) look() (logdir.Held, bool) {
	if !p.resting {
		return logdir.Held{}, false
	}
	return p.dir.Look(p.topic.Name, p.Index)
}

// Dir is the data directory that holds the log, nil when that is not here.
func (p *Partition) Dir() *logdir.Dir { return p.dir }

// Topic is what all partitions of the topic share here.
func (p *Partition) Topic() *Topic { return p.topic }

// Settings are the topic's settings as they are now.
func (p *Partition) Settings() *Settings { return p.topic.settings.Load() }

func (p *Partition) String() string { return fmt.Sprintf("%s-%d", p.topic.Name, p.Index) }

// LeaderEpoch returns the epoch in which this broker leads, or NOT_LEADER_OR_FOLLOWER. An expected epoch of -1 is
// none; another one is compared (KIP-320).
func (p *Partition) LeaderEpoch(expected int32) (int32, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, err := p.leading(expected)
	if err != nil {
		return -1, err
	}
	return l.epoch, nil
}

// leading returns the leader's state when this broker leads in the expected epoch (-1: any). The caller holds mu.
func (p *Partition) leading(expected int32) (*leader, error) {
	if p.gone != nil {
		return nil, p.gone
	}
	if _, err := p.open(); err != nil {
		return nil, err
	}
	if err := checkEpoch(expected, p.epoch); err != nil {
		return nil, fmt.Errorf("partition %s: %w", p, err)
	}
	if p.leader == nil {
		return nil, fmt.Errorf("partition %s: %w", p, kerr.NotLeaderForPartition)
	}
	return p.leader, nil
}

// lead makes this broker the partition's leader, or takes a change of its in-sync set. No file is written: the epoch
// reaches the disk with its first append.
func (p *Partition) lead(state *meta.Partition) {
	p.mu.Lock()
	if state != p.assigned {
		p.mu.Unlock()
		return
	}
	if p.resting && (p.hooks != nil || len(state.Replicas) > 1) && p.gone == nil {
		_ = p.rouse() // it has told
	}
	if p.log == nil || p.gone != nil {
		p.epoch = state.LeaderEpoch
		alone := leader{replicas: state.Replicas, inSync: state.ISR}
		if held, ok := p.look(); ok && len(state.ISR) == 1 && alone.enough(p.Settings().MinInSync) == nil {
			p.highWatermark.Store(held.End) // all of a resting log is durable
		}
		p.mu.Unlock()
		return
	}
	free := p.begin(state)
	defer p.tellFollowing(meta.NoLeader, state.LeaderEpoch)
	flush := p.Settings().GroupCommit && p.highWatermark.Load() < p.log.EndOffset()
	onLead := p.takeOnLead()
	p.mu.Unlock()
	settle(free, nil)
	if onLead != nil {
		onLead()
	}
	if flush {
		p.flush() // what a killed process wrote counts only once it is durable
	}
}

// begin makes this broker the leader in the state's epoch, or takes its in-sync set. It returns the waits that are over. The
// caller holds mu; the log is open.
func (p *Partition) begin(state *meta.Partition) []parked {
	if p.leader == nil || p.leader.epoch != state.LeaderEpoch {
		end := p.log.EndOffset()
		since := state.LeaderEpoch
		if p.leader != nil {
			since = p.leader.since
		}
		p.leader = &leader{
			self: p.topic.manager.o.NodeID, epoch: state.LeaderEpoch, since: since, epochStart: end, began: p.topic.manager.now(),
			parked: p.takeParked(),
		}
		p.log.BeginEpoch(state.LeaderEpoch, end)
	}
	p.epoch = state.LeaderEpoch
	p.leader.replicas, p.leader.inSync, p.leader.proposed = state.Replicas, state.ISR, nil
	return p.advanceForAll()
}

// WhenLeading calls f once this broker leads the partition, which may be at once, or when its log has been recovered.
// A later call replaces an earlier one that was not called yet.
func (p *Partition) WhenLeading(f func()) {
	p.mu.Lock()
	if _, err := p.leading(-1); err != nil {
		p.hook().onLead = f
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	f()
}

func (p *Partition) takeParked() []parked {
	if p.leader == nil {
		return nil
	}
	return p.leader.parked
}

// follow ends this broker's leadership: who waits is told to look for the new leader.
func (p *Partition) follow(state *meta.Partition) {
	p.mu.Lock()
	if state != p.assigned {
		p.mu.Unlock()
		return
	}
	p.epoch = state.LeaderEpoch
	free := p.resign()
	leader := state.Leader
	if p.gone != nil || p.offline != nil {
		leader = meta.NoLeader
	}
	p.mu.Unlock()
	settle(free, fmt.Errorf("partition %s: %w", p, kerr.NotLeaderForPartition))
	p.tellFollowing(leader, state.LeaderEpoch)
}

// tellFollowing says whom this replica follows. The caller does not hold mu.
func (p *Partition) tellFollowing(leader, epoch int32) {
	if follow := p.topic.manager.o.Follow; follow != nil {
		follow(p, leader, epoch)
	}
}

// stop ends the replica: gone is what it answers from now on, and who waits is told.
func (p *Partition) stop(gone error) {
	p.mu.Lock()
	p.gone = gone
	free := p.resign()
	epoch := p.epoch
	p.mu.Unlock()
	settle(free, gone)
	p.tellFollowing(meta.NoLeader, epoch)
}

// resign ends leadership and the long polls. It returns who waits for a commit. The caller holds mu.
func (p *Partition) resign() []parked {
	free := p.takeParked()
	p.leader = nil
	p.watches.fire()
	return free
}

// advance moves the high watermark to where the in-sync set stands. It returns the waits that are over; the caller, who
// holds mu, wakes the readers, and settles the waits after unlocking.
func (p *Partition) advance() []parked {
	settings := p.Settings()
	if p.leader.enough(settings.MinInSync) != nil {
		return nil
	}
	own := p.log.EndOffset()
	if settings.GroupCommit {
		own = p.durable
	}
	to := own
	if !p.topic.manager.o.AcknowledgeEarly {
		to = p.leader.committed(own)
	}
	if to <= p.highWatermark.Load() {
		return nil
	}
	p.log.SetHighWatermark(to) // First: nobody may be told of an offset that the log still takes for uncommitted.
	p.highWatermark.Store(to)
	if p.hooks != nil {
		for _, o := range p.hooks.observers {
			o.moved(to)
		}
	}
	return p.leader.release(to)
}

// advanceForAll is advance when it is not an append that moves the high watermark. The caller holds mu.
func (p *Partition) advanceForAll() []parked {
	before := p.highWatermark.Load()
	free := p.advance()
	if p.highWatermark.Load() > before {
		p.watches.moved()
	}
	return free
}

func settle(free []parked, err error) {
	for _, w := range free {
		w.done(err)
	}
}

// WhenCommitted calls done once the high watermark has reached end, or with an error when this broker stops leading
// before. It may call it at once. done must not block. epoch is the one in which was appended what ends there: whoever has
// followed another leader since may have something else at those offsets.
func (p *Partition) WhenCommitted(epoch int32, end int64, done func(error)) {
	p.mu.Lock()
	l, err := p.leading(-1)
	if err == nil && epoch < l.since {
		err = fmt.Errorf("partition %s: appended in epoch %d, led again since epoch %d: %w", p, epoch, l.since, kerr.NotLeaderForPartition)
	}
	if err == nil && p.highWatermark.Load() < end {
		l.park(end, done)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	done(err)
}

// WhenDurable calls done once what was appended below end survives a power cut, or with an error when it cannot. It may
// call it at once. done must not block.
func (p *Partition) WhenDurable(end int64, done func(error)) {
	log, err := p.borrow()
	if err != nil {
		done(err)
		return
	}
	p.dir.Flush(log, end, func(err error) {
		p.giveBack()
		done(p.flushError(err))
	})
}

func (p *Partition) flushError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("partition %s: flush: %w: %w", p, err, kerr.KafkaStorageError)
}

// Watch places a long poll that saw the log readable below seen and, if it is a follower's, was told of a high watermark. When there
// is more to tell already, or the partition cannot be read here, it fires at once.
func (p *Partition) Watch(w *Watch, seen, told int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.leading(-1)
	follows := p.leader == nil && p.log != nil && p.gone == nil && w.level != LogEnd // a consumer of its own rack
	if err != nil && !follows || p.readable(w.level) > seen || w.follows && p.highWatermark.Load() > told {
		w.add(all)
		return
	}
	p.watches.place(w)
}

// Unwatch takes a long poll away.
func (p *Partition) Unwatch(w *Watch) {
	p.mu.Lock()
	p.watches.remove(w)
	p.mu.Unlock()
}

// readable is the exclusive bound of what may be read at a level.
func (p *Partition) readable(level Level) int64 {
	switch level {
	case Stable:
		return min(p.highWatermark.Load(), p.log.LastStableOffset())
	case LogEnd:
		return p.log.EndOffset()
	default:
		return p.highWatermark.Load()
	}
}

// flush makes what was appended durable in the background and then moves the high watermark.
func (p *Partition) flush() {
	log, err := p.borrow()
	if err != nil {
		return // who waits is told when they ask for the log
	}
	p.dir.Flush(log, log.EndOffset(), func(err error) {
		defer p.giveBack()
		p.mu.Lock()
		if p.leader == nil {
			p.mu.Unlock()
			return
		}
		var free []parked
		if err != nil {
			err = p.flushError(err)
			free, p.leader.parked = p.leader.parked, nil
		} else {
			p.durable = max(p.durable, p.log.FlushedOffset())
			free = p.advanceForAll()
		}
		p.mu.Unlock()
		settle(free, err)
	})
}
