package replica

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/storage"
)

// openers is how many logs are opened or made at a time: enough to keep a disk busy, few enough to leave it to others.
const openers = 8

// Apply brings the replicas in line with a new image: it opens, makes and deletes logs, and leads or follows. The
// first call must be with an image of all that was committed when the broker started: it sets aside (renames, never
// deletes) the logs that the image does not know. It returns when everything is done; but while a directory recovers from an unclean stop it does not wait
// for logs: a partition answers NOT_LEADER_OR_FOLLOWER until its own log is ready, and none delays another.
//
// It returns the placements that differ from what the image says, for the controller to be told; those that it was told of and
// that are not committed yet come again.
func (m *Manager) Apply(image *meta.Image, d meta.Delta) []Placement {
	m.image.Store(image)
	first := !m.applied
	m.applied = true
	for _, t := range d.Deleted {
		m.drop(t)
	}
	placing := m.newPlacing(image, first)
	var opening []*Partition
	for _, t := range d.Created {
		opening = append(opening, m.assign(t, allPartitions(t), placing)...)
	}
	for _, c := range d.Changed {
		opening = append(opening, m.assign(c.New, c.Partitions, placing)...)
	}
	placing.setAside()
	if placing.anew > 0 {
		m.o.Logger.Warn("replicas whose data directory is not here begin empty in another, and are fetched from their leaders", "replicas", placing.anew)
	}
	m.reconfigure(d)
	m.open(opening)
	return placing.reports
}

func allPartitions(t *meta.Topic) []int32 {
	all := make([]int32, len(t.Partitions))
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// assign takes the state of a topic's partitions, and returns those whose log must still be opened.
func (m *Manager) assign(t *meta.Topic, partitions []int32, placing *placing) []*Partition {
	var opening []*Partition
	for _, index := range partitions {
		state := t.Partitions[index]
		mine := slices.Contains(state.Replicas, m.o.NodeID)
		switch p := m.replica(t.ID, index); {
		case p != nil && !mine:
			m.leave(p)
		case p != nil && p.dir == nil && m.isSpare(state): // it was relied on, and is no more
			m.leave(p)
			opening = append(opening, m.lodge(t, index, placing))
		case p != nil:
			p.take(state)
			placing.report(t.ID, index, p.dir, state)
		case mine:
			if p = m.lodge(t, index, placing); p.dir != nil {
				opening = append(opening, p)
			}
		}
	}
	return opening
}

// lodge begins a replica. One whose directory is not here is offline from the beginning.
func (m *Manager) lodge(t *meta.Topic, index int32, placing *placing) *Partition {
	state := t.Partitions[index]
	dir, err := placing.place(t, index)
	placing.report(t.ID, index, dir, state)
	p := &Partition{Index: index, dir: dir, epoch: -1, assigned: state, offline: err}
	p.highWatermark.Store(unknown)
	m.add(t, p)
	m.lodgers[dir]++
	if err != nil {
		m.o.Logger.Error("partition is offline: its data directory is not here", "partition", p.String(), "error", err)
		p.act()
	}
	return p
}

// replica finds a replica held here, or nil.
func (m *Manager) replica(topic meta.ID, index int32) *Partition {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if t := m.byID[topic]; t != nil {
		return t.partition(index)
	}
	return nil
}

// add shows a new replica to everybody.
func (m *Manager) add(t *meta.Topic, p *Partition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.topic = m.byID[t.ID]
	if p.topic == nil {
		p.topic = &Topic{Name: t.Name, ID: t.ID, manager: m, partitions: make([]*Partition, len(t.Partitions))}
		p.topic.settings.Store(m.o.Settings(m.image.Load(), t.Name))
		m.byID[t.ID], m.byName[t.Name] = p.topic, p.topic
	}
	p.topic.put(p.Index, p)
}

// take remembers the state and acts on it once there is a log.
func (p *Partition) take(state *meta.Partition) {
	p.mu.Lock()
	p.assigned = state
	ready := p.log != nil || p.resting || p.offline != nil
	p.mu.Unlock()
	if ready {
		p.act()
	}
}

// act leads or follows as was last assigned. Whoever assigns, or opens the log, calls it; so it may run twice at a time,
// and what is not the newest state any more is left to the other call.
func (p *Partition) act() {
	p.mu.Lock()
	state := p.assigned
	p.mu.Unlock()
	if state.Leader == p.topic.manager.o.NodeID {
		p.lead(state)
	} else {
		p.follow(state)
	}
}

// open opens the logs of replicas, several at a time.
func (m *Manager) open(replicas []*Partition) {
	tasks := make(chan *Partition)
	var workers sync.WaitGroup
	for range min(openers, len(replicas)) {
		workers.Go(func() {
			for p := range tasks {
				m.openOne(p)
			}
		})
	}
	feed := func() {
		for _, p := range replicas {
			tasks <- p
		}
		close(tasks)
		workers.Wait()
	}
	if m.recovering() {
		m.background.Go(feed)
		return
	}
	feed()
}

func (m *Manager) recovering() bool {
	for _, dir := range m.o.Dirs {
		select {
		case <-dir.Recovered():
		default:
			return true
		}
	}
	return false
}

func (m *Manager) openOne(p *Partition) {
	p.mu.Lock()
	gone := p.gone
	p.mu.Unlock()
	if gone != nil {
		return
	}
	held, err := p.hold()
	var log *storage.Log
	if err == nil && held.Open {
		log, err = p.dir.Get(p.topic.Name, p.Index)
	}
	p.mu.Lock()
	gone = p.gone
	again := p.offline != nil
	p.offline, p.resting = err, err == nil && !held.Open
	switch {
	case log != nil:
		p.use(log)
	case err == nil:
		p.highWatermark.Store(held.HighWatermark)
	}
	p.mu.Unlock()
	switch {
	case errors.Is(gone, kerr.UnknownTopicOrPartition):
		m.discard(p) // It was deleted before its log was there to be.
		return
	case gone != nil:
		return
	case err != nil && !again:
		m.o.Logger.Error("partition is offline: its log could not be opened", "partition", p.String(), "error", err)
	case err == nil && again:
		m.o.Logger.Info("partition is online again", "partition", p.String())
	}
	if passing(err) {
		m.retryLater(p)
	}
	p.act()
}

// hold sees that there is a log for the replica, and opens it only if that takes more than a moment. One with records that does
// not say whose they are, which a kill amid a delete or a power cut can leave, is set aside first.
func (p *Partition) hold() (logdir.Held, error) {
	held, err := p.dir.Hold(p.topic.Name, p.Index, p.topic.ID)
	if !errors.Is(err, kerr.InconsistentTopicID) {
		return held, err
	}
	none := meta.ID{} // a log with another id was set aside before
	if err := p.dir.Stray(p.topic.Name, p.Index, none); err != nil {
		return logdir.Held{}, err
	}
	return p.dir.Hold(p.topic.Name, p.Index, p.topic.ID)
}

// use takes an open log. The caller holds mu.
func (p *Partition) use(log *storage.Log) {
	p.log, p.resting = log, false
	known := max(p.dir.CheckpointedHighWatermark(p.topic.Name, p.Index), p.highWatermark.Load()) // the latter if it has rested
	p.highWatermark.Store(min(max(known, log.StartOffset()), log.EndOffset()))
	log.SetHighWatermark(p.highWatermark.Load())
}

// rouse opens a resting log, and leads if that is what was assigned meanwhile. Nobody waits for a commit then. An error that does
// not pass takes the replica offline. The caller holds mu.
func (p *Partition) rouse() error {
	log, err := p.dir.Get(p.topic.Name, p.Index)
	if err != nil {
		if !passing(err) && !errors.Is(err, logdir.ErrClosed) {
			p.topic.manager.o.Logger.Error("partition is offline: its log could not be opened", "partition", p.String(), "error", err)
			p.offline, p.resting = err, false
		}
		return err
	}
	p.use(log)
	p.durable = log.FlushedOffset() // a log rests only if it is durable, and so is its folder, or else empty
	if p.gone == nil && p.assigned.Leader == p.topic.manager.o.NodeID {
		settle(p.begin(p.assigned), nil)
	}
	return nil
}

// drop deletes a topic's replicas. The topic's id goes with the request to the directory, so that a topic made anew
// under the same name is safe from it.
func (m *Manager) drop(t *meta.Topic) {
	m.mu.Lock()
	topic := m.byID[t.ID]
	var partitions []*Partition
	if topic != nil {
		delete(m.byID, t.ID)
		if m.byName[t.Name] == topic {
			delete(m.byName, t.Name)
		}
		partitions = topic.held()
	}
	m.mu.Unlock()
	for _, p := range partitions {
		m.erase(p)
	}
}

// leave deletes one replica that has moved to other brokers.
func (m *Manager) leave(p *Partition) {
	m.mu.Lock()
	p.topic.put(p.Index, nil)
	m.mu.Unlock()
	m.erase(p)
}

func (m *Manager) erase(p *Partition) {
	gone := fmt.Errorf("partition %s was deleted: %w", p, kerr.UnknownTopicOrPartition)
	p.stop(gone)
	m.lodgers[p.dir]--
	m.discard(p)
}

func (m *Manager) discard(p *Partition) {
	if p.dir == nil {
		return // when its directory comes back, its log is set aside there
	}
	if err := p.dir.Delete(p.topic.Name, p.Index, p.topic.ID); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		m.o.Logger.Error("a deleted partition's log stays on disk", "partition", p.String(), "error", err)
	}
}

// reconfigure gives topics their new settings where a config of theirs, or of the broker, changed.
func (m *Manager) reconfigure(d meta.Delta) {
	var names []string
	for _, resource := range d.Configs {
		switch resource.Type {
		case meta.ResourceTopic:
			names = append(names, resource.Name)
		case meta.ResourceBroker:
			m.Topics(func(t *Topic, _ []*Partition) bool {
				names = append(names, t.Name)
				return true
			})
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		m.mu.RLock()
		t := m.byName[name]
		m.mu.RUnlock()
		if t == nil {
			continue
		}
		t.settings.Store(m.o.Settings(m.image.Load(), name))
		for _, dir := range m.o.Dirs {
			dir.SettingsChanged(name)
		}
	}
}
