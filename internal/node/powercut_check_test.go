package node_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// resume starts the broker on what a power cut left, repeats what was not answered, as clients do, and compares
// everything with what was promised. Then the story can go on.
func (s *story) resume(disk *vfs.Mem, wrap func(vfs.FS) vfs.FS) error {
	// The kernel would have another boot id.
	if err := disk.RemoveAll("/data/.barnabas-boot"); err != nil {
		return err
	}
	s.disk, s.fs = disk, wrap(disk)
	disk.SetHook(s.note)
	if err := start(s); err != nil {
		return fmt.Errorf("does not start: %w", err)
	}
	for _, check := range []func() error{s.checkTopics, s.checkSettings, s.checkOffsets, s.checkProducers, s.checkRecords} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) checkTopics() error {
	ids, err := s.p.client.topics()
	if err != nil {
		return err
	}
	for topic := range ids {
		if s.names[topic] == nil {
			return fmt.Errorf("%w: nobody asked for topic %q", errBroken, topic)
		}
	}
	for topic, n := range s.names {
		id, exists := ids[topic]
		life := n.lives[len(n.lives)-1]
		switch {
		case exists && !life.created: // its creation was under way
			for _, earlier := range n.lives[:len(n.lives)-1] {
				if earlier.id == id {
					return fmt.Errorf("%w: the deleted topic %s is back", errBroken, topic)
				}
			}
			life.id, life.created = id, true
		case exists && id != life.id:
			return fmt.Errorf("%w: topic %s has id %x, not %x", errBroken, topic, id, life.id)
		case exists && life.deleted:
			return fmt.Errorf("%w: the deleted topic %s is back", errBroken, topic)
		case exists:
			life.deleting = false
		case life.created && !life.deleting:
			return fmt.Errorf("%w: topic %s is gone", errBroken, topic)
		default:
			life.deleted = true
			s.forget(topic)
		}
	}
	return nil
}

func (s *story) forget(topic string) {
	for key := range s.settings {
		if strings.HasPrefix(key, topic+" ") {
			delete(s.settings, key)
		}
	}
}

func (s *story) checkSettings() error {
	for key, c := range s.settings {
		topic, config, _ := strings.Cut(key, " ")
		got, err := s.p.client.config(kmsg.ConfigResourceTypeTopic, topic, config)
		if err != nil {
			return err
		}
		if err := c.settle(got, key, c.kept == ""); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) checkOffsets() error {
	for key, c := range s.offsets {
		group, topic, _ := strings.Cut(key, " ")
		got, err := s.p.client.committed(group, topic, 0)
		if err != nil {
			return fmt.Errorf("offset of %s: %w", key, err)
		}
		if err := c.settle(fmt.Sprint(got), key, c.kept == "" && got == -1); err != nil {
			return err
		}
	}
	return nil
}

// settle compares a value with the claim, and takes the outcome of what was under way.
func (c *claim) settle(got, what string, unset bool) error {
	if !unset && got != c.kept && got != c.tried {
		return fmt.Errorf("%w: %s is %s, acknowledged was %q and asked for %q", errBroken, what, got, c.kept, c.tried)
	}
	c.tried = c.kept
	if !unset {
		c.kept, c.tried = got, got
	}
	return nil
}

func (s *story) checkProducers() error {
	id, err := s.p.client.newProducer()
	if err != nil {
		return err
	}
	if s.given[id] {
		return fmt.Errorf("%w: producer id %d was given out before", errBroken, id)
	}
	s.given[id] = true
	return nil
}

func (s *story) checkRecords() error {
	for topic, n := range s.names {
		life := n.lives[len(n.lives)-1]
		if !life.created || life.deleted {
			continue
		}
		for partition, h := range life.partitions {
			if err := s.checkPartition(topic, partition, life, h); err != nil {
				return fmt.Errorf("%s-%d: %w", topic, partition, err)
			}
		}
	}
	return nil
}

// checkPartition repeats the last batch: if it was acknowledged it must be known to be there, if not it must be there once
// afterwards. (Of earlier ones a producer snapshot keeps nothing, here as in Kafka.) Then one more goes in, and
// everything is read.
func (s *story) checkPartition(topic string, partition int, life *topicLife, h *history) error {
	if s.producer >= 0 {
		if last := len(h.batches) - 1; last >= 0 {
			if err := s.transmit(topic, partition, &h.batches[last]); err != nil {
				return fmt.Errorf("%w: repeating the batch of record %d: %w", errBroken, h.batches[last].base, err)
			}
		}
		if err := send(topic, partition, 1)(s); err != nil {
			return fmt.Errorf("%w: one more batch: %w", errBroken, err)
		}
	}
	got, epochs, first, err := s.readAll(topic, partition)
	if err != nil {
		return err
	}
	if first > life.triedTill {
		return fmt.Errorf("%w: the log starts at %d", errBroken, first)
	}
	if life.compacted {
		err = compareCompacted(got, h)
	} else {
		err = compare(got, first, h)
	}
	if err != nil {
		return err
	}
	return errors.Join(s.checkTimestamps(topic, partition, got, life.compacted), s.checkEpochs(topic, partition, epochs))
}

// checkTimestamps finds every record by its time, or a later one if compaction may have taken it meanwhile.
func (s *story) checkTimestamps(topic string, partition int, records []batch.Record, compacted bool) error {
	for _, r := range records {
		got, err := s.p.client.offset(topic, int32(partition), r.Timestamp)
		if err != nil || got != r.Offset && (!compacted || got < r.Offset) {
			return fmt.Errorf("%w: by the timestamp of offset %d, offset %d is found (%v)", errBroken, r.Offset, got, err)
		}
	}
	return nil
}

// checkEpochs compares where leader epochs end with what the batches say.
func (s *story) checkEpochs(topic string, partition int, epochs []epochStart) error {
	for i, e := range epochs[:max(0, len(epochs)-1)] {
		got, err := s.p.client.epochEnd(topic, int32(partition), e.epoch)
		if want := epochs[i+1].offset; err != nil || got != want {
			return fmt.Errorf("%w: leader epoch %d ends at %d, by the batches at %d (%v)", errBroken, e.epoch, got, want, err)
		}
	}
	return nil
}

// epochStart is the first batch of a leader epoch.
type epochStart struct {
	epoch  int32
	offset int64
}

func (s *story) readAll(topic string, partition int) (got []batch.Record, epochs []epochStart, first int64, err error) {
	c := s.p.client
	if err := c.whenLed(func() error { first, err = c.offset(topic, int32(partition), -2); return err }); err != nil {
		return nil, nil, 0, err
	}
	for at := first; ; {
		answer, err := c.fetch(topic, int32(partition), at)
		if err != nil {
			return nil, nil, first, fmt.Errorf("fetch from %d: %w", at, err)
		}
		if len(answer.records) == 0 {
			if at < answer.highWatermark {
				return nil, nil, first, fmt.Errorf("%w: nothing at offset %d, high watermark %d", errBroken, at, answer.highWatermark)
			}
			return got, epochs, first, nil
		}
		for rest := answer.records; len(rest) > 0; {
			h, whole, after, err := batch.Next(rest)
			if errors.Is(err, batch.ErrShort) {
				break // a fetch may end in the middle of a batch
			}
			if err == nil {
				err = batch.CheckCRC(whole)
			}
			if err != nil {
				return nil, nil, first, fmt.Errorf("%w: batch at offset %d: %w", errBroken, at, err)
			}
			if n := len(epochs); n == 0 || epochs[n-1].epoch != h.LeaderEpoch {
				epochs = append(epochs, epochStart{h.LeaderEpoch, h.BaseOffset})
			}
			for r, err := range batch.Records(whole, 0) {
				if err != nil {
					return nil, nil, first, err
				}
				if r.Offset >= at {
					got = append(got, r)
				}
			}
			at, rest = h.NextOffset(), after
		}
	}
}

// compare expects exactly what was sent, in order, from the log's start on.
func compare(got []batch.Record, first int64, h *history) error {
	if want := int64(h.records) - first; int64(len(got)) != want {
		return fmt.Errorf("%w: %d records from offset %d on, %d were sent", errBroken, len(got), first, want)
	}
	for i, r := range got {
		if r.Offset != first+int64(i) || string(r.Value) != h.value(int(r.Offset)) {
			return fmt.Errorf("%w: offset %d holds %q, sent was %q at %d", errBroken, r.Offset, r.Value, h.value(int(first)+i), int(first)+i)
		}
	}
	return nil
}

func (h *history) value(offset int) string {
	for _, b := range h.batches {
		if offset < b.base+len(b.values) {
			return b.values[offset-b.base]
		}
	}
	return "nothing"
}

// compareCompacted expects nothing that was not sent, in order, and the last value of each key.
func compareCompacted(got []batch.Record, h *history) error {
	last, before := map[string]string{}, int64(-1)
	for _, r := range got {
		if r.Offset <= before || string(r.Value) != h.value(int(r.Offset)) {
			return fmt.Errorf("%w: offset %d holds %q, sent was %q", errBroken, r.Offset, r.Value, h.value(int(r.Offset)))
		}
		last[string(r.Key)], before = string(r.Value), r.Offset
	}
	for _, b := range h.batches {
		for i, key := range b.keys {
			if b.acked && last[key] < b.values[i] && len(last[key]) <= len(b.values[i]) {
				return fmt.Errorf("%w: key %q has %q, acknowledged was %q", errBroken, key, last[key], b.values[i])
			}
		}
	}
	return nil
}
