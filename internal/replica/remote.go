package replica

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// remote is another replica of a partition that this broker leads, as its fetches tell. The partition's lock guards it.
type remote struct {
	end         int64     // where its log ends: the offset that it fetched last
	brokerEpoch int64     // of its broker, as it says; -1: it does not (Fetch before version 15)
	fetchedAt   time.Time // its last fetch,
	leaderEnd   int64     // and where our log ended then
	caughtUpAt  time.Time // when it last had all that we had
}

// fetched counts a fetch from an offset. A follower has caught up when it asks for what comes next; and at the time of the fetch
// before, if it now has all that there was then: under load it never has everything.
func (r *remote) fetched(offset, leaderEnd, brokerEpoch int64, now time.Time) {
	switch {
	case offset >= leaderEnd:
		r.caughtUpAt = now
	case offset >= r.leaderEnd && r.fetchedAt.After(r.caughtUpAt):
		r.caughtUpAt = r.fetchedAt
	}
	r.end, r.leaderEnd, r.fetchedAt, r.brokerEpoch = offset, leaderEnd, now, brokerEpoch
}

// lags says that a member of the in-sync set has not had everything for longer than maxLag.
func (l *leader) lags(id int32, end int64, now time.Time, maxLag time.Duration) bool {
	r := l.remotes[id]
	if r == nil {
		return now.Sub(l.began) > maxLag
	}
	last := r.caughtUpAt
	if last.Before(l.began) {
		last = l.began
	}
	return r.end != end && now.Sub(last) > maxLag
}

// Proposal is a new in-sync set that a leader asks the controller for.
type Proposal struct {
	Partition      *Partition
	LeaderEpoch    int32
	PartitionEpoch int32
	Recovered      bool // the leader, elected uncleanly, has nothing more to recover
	ISR            []Member
}

// Member is a replica with the epoch of its broker, so that one whose broker has restarted since does not come in on the fetches
// of its predecessor (KIP-903). -1 is not compared.
type Member struct {
	ID          int32
	BrokerEpoch int64
}

// fetchedBy takes note of a follower's fetch from an offset that is in its log. It returns the waits that are over.
func (p *Partition) fetchedBy(id int32, brokerEpoch, offset int64, l *leader) []parked {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leader != l || p.gone != nil {
		return nil
	}
	r := l.remotes[id]
	if r == nil {
		r = &remote{}
		if l.remotes == nil {
			l.remotes = make(map[int32]*remote)
		}
		l.remotes[id] = r
	}
	r.fetched(offset, p.log.EndOffset(), brokerEpoch, p.topic.manager.now())
	p.expand(id, r)
	if !slices.Contains(l.inSync, id) {
		return nil
	}
	return p.advanceForAll()
}

// mayFetch refuses a fetch by a broker that has no replica.
func (l *leader) mayFetch(id int32) error {
	if id == l.self || !slices.Contains(l.replicas, id) {
		return fmt.Errorf("broker %d has no replica to follow with: %w", id, kerr.NotLeaderForPartition)
	}
	return nil
}

// expand proposes to let a follower in once it has all that is committed, and what this epoch began with. The caller holds mu.
func (p *Partition) expand(id int32, r *remote) {
	l := p.leader
	if l.proposed != nil || slices.Contains(l.inSync, id) || r.end < p.highWatermark.Load() || r.end < l.epochStart {
		return
	}
	b, ok := p.topic.manager.image.Load().Broker(id)
	if !ok || b.Fenced || b.InControlledShutdown || r.brokerEpoch >= 0 && r.brokerEpoch != b.Epoch {
		return
	}
	p.propose(append(slices.Clone(l.inSync), id))
}

// shrink proposes to let go of followers that lag.
func (p *Partition) shrink(now time.Time, maxLag time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.leader
	if l == nil || p.log == nil || p.gone != nil || l.proposed != nil || len(l.inSync) < 2 {
		return
	}
	end := p.log.EndOffset()
	stays := slices.DeleteFunc(slices.Clone(l.inSync), func(id int32) bool {
		return id != l.self && l.lags(id, end, now, maxLag)
	})
	if len(stays) < len(l.inSync) {
		p.topic.manager.o.Logger.Info("followers lag behind and leave the in-sync set", "partition", p.String(), "in_sync", l.inSync, "proposed", stays)
		p.propose(stays)
	}
}

// propose asks the controller for an in-sync set. Until it is confirmed, or refused, no other is asked for. The caller holds mu.
func (p *Partition) propose(isr []int32) {
	l, m := p.leader, p.topic.manager
	if m.o.Propose == nil {
		return
	}
	l.proposed = isr
	out := Proposal{Partition: p, LeaderEpoch: l.epoch, PartitionEpoch: p.assigned.PartitionEpoch, Recovered: p.assigned.LeaderRecovery == meta.Recovering}
	image := m.image.Load()
	for _, id := range isr {
		member := Member{ID: id, BrokerEpoch: -1}
		if r := l.remotes[id]; r != nil && id != l.self {
			member.BrokerEpoch = r.brokerEpoch
		}
		if member.BrokerEpoch < 0 {
			if b, ok := image.Broker(id); ok {
				member.BrokerEpoch = b.Epoch
			}
		}
		out.ISR = append(out.ISR, member)
	}
	m.o.Propose(out)
}

// Answered takes what came of a proposal, and says whether it has to be sent again. Only an error that the controller gives to a
// proposal of the epochs that it has itself ends one. With any other the proposal may have been taken when it was sent before, in
// an answer that got lost: somebody who is in sync as the controller knows would not count here, and could be elected
// without what is acknowledged meanwhile. Newer metadata ends it then, or another answer.
func (p *Partition) Answered(was Proposal, err error) (again bool) {
	for _, over := range []error{kerr.FencedLeaderEpoch, kerr.InvalidUpdateVersion, kerr.NewLeaderElected, kerr.UnknownTopicID, kerr.UnknownTopicOrPartition} {
		if errors.Is(err, over) {
			return false
		}
	}
	if errors.Is(err, kerr.IneligibleReplica) || errors.Is(err, kerr.InvalidRequest) {
		p.refused(was)
		return false
	}
	return err != nil
}

// refused ends a proposal that will not be confirmed.
func (p *Partition) refused(was Proposal) {
	p.mu.Lock()
	var free []parked
	if l := p.leader; l != nil && p.log != nil && l.epoch == was.LeaderEpoch && p.assigned.PartitionEpoch == was.PartitionEpoch {
		l.proposed = nil
		free = p.advanceForAll()
	}
	p.mu.Unlock()
	settle(free, nil)
}

// CheckLag looks which followers lag behind, in every partition that this broker leads.
func (m *Manager) CheckLag(maxLag time.Duration) {
	now := m.now()
	m.Topics(func(_ *Topic, partitions []*Partition) bool {
		for _, p := range partitions {
			p.shrink(now, maxLag)
		}
		return true
	})
}
