// Package replica holds this broker's partitions: who leads them, what is committed, who waits for what.
//
// It knows leaders, followers, in-sync sets, high watermarks and long polls, and brings the logs of its data
// directories in line with the metadata image. It must not know the protocol's requests, connections or clients, nor
// why the controller decided as it did.
package replica

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

// Options say whose partitions a Manager keeps and where.
type Options struct {
	NodeID int32
	Dirs   []*logdir.Dir // at least one
	Logger *slog.Logger
	Now    func() time.Time
	// Settings resolves a topic's configs over the broker's.
	Settings func(image *meta.Image, topic string) *Settings
	// AcknowledgeEarly has what only this broker has count as committed. Only a suite sets it, to prove that it would notice.
	AcknowledgeEarly bool
	// Propose has the controller asked for a new in-sync set, and must not wait. It ends with a newer state of the partition in
	// Apply, or with Refused. Nil: sets do not change.
	Propose func(Proposal)
	// Follow is told that a replica follows a leader from here on, or, with -1, none: it leads itself, nobody does, or it is gone.
	// It must not wait.
	Follow func(p *Partition, leader, leaderEpoch int32)
	// ThrottleSamples of ThrottleSample each are what throttles average over. 0: Kafka's 11 seconds.
	ThrottleSamples int
	ThrottleSample  time.Duration
}

// Manager is this broker's replicas. Apply is called by one goroutine; all else by anybody.
type Manager struct {
	o     Options
	image atomic.Pointer[meta.Image]
	// applied says that Apply was called, and lodgers how many replicas each directory has, or is about to have, so that those of one
	// Apply are spread, too. Only Apply uses them.
	applied bool
	lodgers map[*logdir.Dir]int

	background sync.WaitGroup  // logs being opened while a directory recovers, or again
	life       context.Context //nolint:containedctx // The manager's own life.
	end        context.CancelFunc
	retries    retries

	leaderThrottle, followerThrottle *Throttle

	mu     sync.RWMutex
	byName map[string]*Topic
	byID   map[[16]byte]*Topic
}

// New makes a manager that holds nothing until Apply.
func New(o Options) *Manager {
	m := &Manager{o: o, byName: make(map[string]*Topic), byID: make(map[[16]byte]*Topic), lodgers: make(map[*logdir.Dir]int)}
	if o.ThrottleSamples == 0 {
		o.ThrottleSamples, o.ThrottleSample = 11, time.Second
	}
	m.leaderThrottle, m.followerThrottle = newThrottle(o.ThrottleSamples, o.ThrottleSample), newThrottle(o.ThrottleSamples, o.ThrottleSample)
	m.life, m.end = context.WithCancel(context.Background())
	m.image.Store(meta.Empty())
	return m
}

func (m *Manager) now() time.Time { return m.o.Now() }

// Get finds a replica held here. Otherwise the error is UNKNOWN_TOPIC_OR_PARTITION, or NOT_LEADER_OR_FOLLOWER when the
// partition exists on other brokers only.
func (m *Manager) Get(topic string, partition int32) (*Partition, error) {
	m.mu.RLock()
	t := m.byName[topic]
	var p *Partition
	if t != nil {
		p = t.partition(partition)
	}
	m.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	known, ok := m.image.Load().Topic(topic)
	if ok && partition >= 0 && int(partition) < len(known.Partitions) {
		return nil, fmt.Errorf("partition %s-%d: %w", topic, partition, kerr.NotLeaderForPartition)
	}
	return nil, fmt.Errorf("partition %s-%d: %w", topic, partition, kerr.UnknownTopicOrPartition)
}

// TopicName finds the name of a topic by its id; UNKNOWN_TOPIC_ID otherwise.
func (m *Manager) TopicName(id [16]byte) (string, error) {
	m.mu.RLock()
	t := m.byID[id]
	m.mu.RUnlock()
	if t != nil {
		return t.Name, nil
	}
	if known, ok := m.image.Load().TopicByID(id); ok {
		return known.Name, nil
	}
	return "", fmt.Errorf("topic id %x: %w", id, kerr.UnknownTopicID)
}

// Topics calls yield for each topic with a replica here, and its replicas, until yield says no.
func (m *Manager) Topics(yield func(*Topic, []*Partition) bool) {
	m.mu.RLock()
	topics := make([]*Topic, 0, len(m.byName))
	for _, t := range m.byName {
		topics = append(topics, t)
	}
	m.mu.RUnlock()
	for _, t := range topics {
		m.mu.RLock()
		partitions := t.held()
		m.mu.RUnlock()
		if !yield(t, partitions) {
			return
		}
	}
}

// Settings are those of a topic with a replica here, nil for any other.
func (m *Manager) Settings(topic string) *Settings {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if t := m.byName[topic]; t != nil {
		return t.settings.Load()
	}
	return nil
}

// Dirs are the data directories.
func (m *Manager) Dirs() []*logdir.Dir { return m.o.Dirs }

// HighWatermark is what a data directory writes to its checkpoint: -1 when the replica is not held or its log not there yet.
func (m *Manager) HighWatermark(topic string, partition int32) int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if t := m.byName[topic]; t != nil {
		if p := t.partition(partition); p != nil {
			return p.highWatermark.Load()
		}
	}
	return -1
}

// Close ends every wait with NOT_LEADER_OR_FOLLOWER, so that clients look elsewhere; nothing is appended afterwards.
// The data directories are closed by whoever opened them, and Wait is called after that.
func (m *Manager) Close() {
	m.end()
	m.Topics(func(_ *Topic, partitions []*Partition) bool {
		for _, p := range partitions {
			closing := fmt.Errorf("partition %s: the broker is stopping: %w", p, kerr.NotLeaderForPartition)
			p.stop(closing)
		}
		return true
	})
}

// Wait waits for the opening of logs that a closed directory cut short.
func (m *Manager) Wait() { m.background.Wait() }
