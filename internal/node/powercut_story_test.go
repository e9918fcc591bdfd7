package node_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// powerCutSettings make everything durable before it is acknowledged, and have in a moment what else takes minutes.
var powerCutSettings = map[string]string{
	"log.flush.interval.messages":                     "1",
	"replica.high.watermark.checkpoint.interval.ms":   "3",
	"log.flush.offset.checkpoint.interval.ms":         "3",
	"log.retention.check.interval.ms":                 "3",
	"log.cleaner.backoff.ms":                          "3",
	"metadata.log.max.record.bytes.between.snapshots": "700",
	"barnabas.disk.reserve.bytes":                     "-1",
	"controlled.shutdown.enable":                      "false",
	"log.segment.delete.delay.ms":                     "0",
	"metadata.max.idle.interval.ms":                   "0",
	"broker.heartbeat.interval.ms":                    "60000",
	"broker.session.timeout.ms":                       "600000",
	"max.incremental.fetch.session.cache.slots":       "10",
	"offsets.retention.check.interval.ms":             "600000",
	"group.initial.rebalance.delay.ms":                "0",
	"controller.quorum.election.timeout.ms":           "50",
	"num.recovery.threads.per.data.dir":               "2",
}

// A story is what one broker's clients did until the power went, what they were told, and what they were still waiting
// for. They ask one thing at a time, so there is at most one thing whose outcome they do not know.
type story struct {
	disk     *vfs.Mem
	fs       vfs.FS
	p        *process
	clean    bool // stopped in order, and nothing was done since
	names    map[string]*name
	settings map[string]*claim
	offsets  map[string]*claim
	producer int64          // -1: none yet
	given    map[int64]bool // producer ids
	began    int64          // record n of a partition has the timestamp began + n

	mu   sync.Mutex
	seen map[string]int // completed renames, by the new name's last element
	wake chan struct{}
}

// claim is a value that was acknowledged, and one that was asked for; they are the same unless the power went in between.
type claim struct{ kept, tried string }

// name is a topic's name and the topics that have had it, the last one last.
type name struct{ lives []*topicLife }

// topicLife is one topic from its creation to its deletion.
type topicLife struct {
	id                       [16]byte
	created                  bool // acknowledged
	deleting, deleted        bool // asked for, acknowledged
	partitions               []*history
	deletedBefore, triedTill int64 // DeleteRecords on partition 0: acknowledged and asked for
	compacted                bool
}

// history is what was sent to a partition, batch by batch: one idempotent producer, nothing left out.
type history struct {
	batches []sentBatch
	records int
}

type sentBatch struct {
	base   int
	keys   []string
	values []string
	acked  bool
}

func newStory(disk *vfs.Mem, wrap func(vfs.FS) vfs.FS) *story {
	s := &story{
		disk: disk, fs: wrap(disk), names: map[string]*name{}, settings: map[string]*claim{}, offsets: map[string]*claim{},
		given: map[int64]bool{}, producer: -1, began: time.Now().UnixMilli(), seen: map[string]int{}, wake: make(chan struct{}, 1),
	}
	disk.SetHook(s.note)
	return s
}

// note counts renames: that is how checkpoints appear.
func (s *story) note(op vfs.Op) error {
	if op.Kind == vfs.OpRename {
		s.mu.Lock()
		s.seen[filepath.Base(op.NewName)]++
		s.mu.Unlock()
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// await waits until a file has been written anew twice: the second one began after this call.
func (s *story) await(file string) error {
	count := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.seen[file]
	}
	deadline := time.NewTimer(200 * time.Millisecond)
	defer deadline.Stop()
	for target := count() + 1; count() < target && !s.disk.Off(); {
		select {
		case <-s.wake:
		case <-deadline.C:
			return nil // nothing had changed
		}
	}
	return nil
}

// step is one thing that the clients do. An error ends the story; it is a failure unless the power is off.
type step func(*story) error

func (s *story) tell(steps []step) error {
	for i, do := range steps {
		if err := do(s); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

func start(s *story) (err error) {
	s.clean = false
	s.p, err = launch(s.fs, powerCutSettings)
	if err == nil {
		s.p.client.hopeless = s.disk.Off
	}
	return err
}

func stop(s *story) error {
	p := s.p
	s.p = nil
	err := p.stop()
	s.clean = err == nil
	return err
}

func create(topic string, partitions int, configs map[string]string) step {
	return func(s *story) error {
		n := s.names[topic]
		if n == nil {
			n = &name{}
			s.names[topic] = n
		}
		life := &topicLife{compacted: configs["cleanup.policy"] == "compact"}
		for range partitions {
			life.partitions = append(life.partitions, &history{})
		}
		n.lives = append(n.lives, life)
		all := map[string]string{"internal.segment.bytes": "700", "index.interval.bytes": "200"}
		for k, v := range configs {
			all[k] = v
		}
		id, err := s.p.client.createTopic(topic, int32(partitions), all)
		if err == nil {
			life.id, life.created = id, true
		}
		return err
	}
}

func remove(topic string) step {
	return func(s *story) error {
		life := s.life(topic)
		life.deleting = true
		err := s.p.client.deleteTopic(topic)
		life.deleted = err == nil
		return err
	}
}

func (s *story) life(topic string) *topicLife {
	lives := s.names[topic].lives
	return lives[len(lives)-1]
}

func newProducer(s *story) error {
	id, err := s.p.client.newProducer()
	if err != nil {
		return err
	}
	if s.given[id] {
		return fmt.Errorf("producer id %d was given out twice", id)
	}
	s.given[id] = true
	s.producer = id
	return nil
}

// send produces batches of one to three records.
func send(topic string, partition, batches int) step {
	return func(s *story) error {
		life := s.life(topic)
		h := life.partitions[partition]
		for range batches {
			b := sentBatch{base: h.records}
			for range 1 + len(h.batches)%3 {
				b.keys = append(b.keys, fmt.Sprintf("key %d", (h.records+len(b.keys))%4))
				b.values = append(b.values, fmt.Sprintf("%s/%d, life %d, record %d %s", topic, partition,
					len(s.names[topic].lives), h.records+len(b.values), strings.Repeat("x", 60)))
			}
			h.batches = append(h.batches, b)
			h.records += len(b.values)
			if err := s.transmit(topic, partition, &h.batches[len(h.batches)-1]); err != nil {
				return err
			}
		}
		return nil
	}
}

// transmit sends a batch, for the first time or again: a producer repeats what was not acknowledged.
func (s *story) transmit(topic string, partition int, b *sentBatch) error {
	builder := batch.NewBuilder(batch.BuilderOptions{Producer: &batch.Producer{ID: s.producer, BaseSequence: int32(b.base)}})
	for i, value := range b.values {
		builder.Append(batch.Record{Timestamp: s.began + int64(b.base+i), Key: []byte(b.keys[i]), Value: []byte(value)})
	}
	bytes := builder.Build()
	err := s.p.client.whenLed(func() error {
		base, err := s.p.client.produce(topic, int32(partition), append([]byte(nil), bytes...))
		if err == nil && base != int64(b.base) {
			return fmt.Errorf("%s-%d: batch of records %d and on was acknowledged at offset %d", topic, partition, b.base, base)
		}
		return err
	})
	b.acked = b.acked || err == nil
	return err
}

func set(topic, config, value string) step {
	return func(s *story) error {
		c := claimOf(s.settings, topic+" "+config)
		c.tried = value
		err := s.p.client.setConfig(kmsg.ConfigResourceTypeTopic, topic, config, value)
		if err == nil {
			c.kept = value
		}
		return err
	}
}

func commit(group, topic string, offset int) step {
	return func(s *story) error {
		c := claimOf(s.offsets, group+" "+topic)
		c.tried = fmt.Sprint(offset)
		err := s.p.client.commit(group, topic, 0, int64(offset))
		if err == nil {
			c.kept = c.tried
		}
		return err
	}
}

func claimOf(claims map[string]*claim, key string) *claim {
	c := claims[key]
	if c == nil {
		c = &claim{}
		claims[key] = c
	}
	return c
}

func deleteRecords(topic string, before int64) step {
	return func(s *story) error {
		life := s.life(topic)
		life.triedTill = before
		err := s.p.client.deleteRecords(topic, 0, before)
		if err == nil {
			life.deletedBefore = before
		}
		return err
	}
}

func checkpoint(file string) step { return func(s *story) error { return s.await(file) } }

// end stops whatever still runs. After a power cut an error is expected.
func (s *story) end() error {
	if s.p == nil {
		return nil
	}
	p := s.p
	s.p = nil
	return p.stop()
}

var errBroken = errors.New("broken promise")
