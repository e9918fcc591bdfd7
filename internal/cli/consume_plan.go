package cli

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// consumePlan is where a run begins and, with --exit-at-end, ends.
type consumePlan struct {
	begin     map[string]map[int32]int64
	ends      map[string]map[int32]int64 // nil: it never ends
	remaining int                        // partitions whose end was not reached yet
	from      position
}

func planConsume(ctx context.Context, admin *admin, topics []string, from position, f consumeFlags) (*consumePlan, error) {
	starts, err := listOffsets(ctx, admin.ListStartOffsets, topics)
	if err != nil {
		return nil, err
	}
	list := admin.ListCommittedOffsets
	if f.isolation == "read_uncommitted" {
		list = admin.ListEndOffsets
	}
	ends, err := listOffsets(ctx, list, topics)
	if err != nil {
		return nil, err
	}
	begin, err := beginOffsets(ctx, admin, topics, from, starts, ends)
	if err != nil {
		return nil, err
	}
	if f.group != "" {
		if err := resumeAt(ctx, admin, f.group, begin); err != nil {
			return nil, err
		}
	}
	plan := &consumePlan{begin: begin, from: from}
	if err := plan.keep(f.partitions); err != nil {
		return nil, err
	}
	if f.exitAtEnd {
		plan.endAt(ends)
	}
	return plan, nil
}

// listOffsets lists one offset of each partition, of all or of none.
func listOffsets(ctx context.Context, list func(context.Context, ...string) (kadm.ListedOffsets, error), topics []string) (kadm.ListedOffsets, error) {
	listed, err := list(ctx, topics...)
	listed.Each(func(o kadm.ListedOffset) {
		if o.Err != nil && err == nil {
			err = fmt.Errorf("topic %s: %w", o.Topic, o.Err)
		}
	})
	return listed, err
}

// beginOffsets resolves a position for each partition, within what the partition holds.
func beginOffsets(ctx context.Context, admin *admin, topics []string, from position, starts, ends kadm.ListedOffsets) (map[string]map[int32]int64, error) {
	at := ends
	if from.kind == atTime {
		var err error
		if at, err = admin.ListOffsetsAfterMilli(ctx, from.value, topics...); err != nil {
			return nil, err
		}
	}
	begin := map[string]map[int32]int64{}
	starts.Each(func(start kadm.ListedOffset) {
		offset := start.Offset
		end, _ := ends.Lookup(start.Topic, start.Partition)
		switch from.kind {
		case atEnd, atTime:
			listed, _ := at.Lookup(start.Topic, start.Partition)
			offset = max(start.Offset, listed.Offset)
		case atOffset:
			offset = max(start.Offset, from.value)
		case beforeEnd:
			offset = max(start.Offset, end.Offset-from.value)
		}
		if begin[start.Topic] == nil {
			begin[start.Topic] = map[int32]int64{}
		}
		begin[start.Topic][start.Partition] = offset
	})
	return begin, nil
}

// resumeAt replaces the positions of partitions for which the group has committed offsets.
func resumeAt(ctx context.Context, admin *admin, group string, begin map[string]map[int32]int64) error {
	committed, err := admin.committed(ctx, group)
	if err != nil {
		return err
	}
	committed.Each(func(o kadm.OffsetResponse) {
		if _, wanted := begin[o.Topic][o.Partition]; wanted && o.At >= 0 {
			begin[o.Topic][o.Partition] = o.At
		}
	})
	return nil
}

// keep drops all partitions but those named.
func (p *consumePlan) keep(partitions []int32) error {
	if len(partitions) == 0 {
		return nil
	}
	for topic, begin := range p.begin {
		kept := map[int32]int64{}
		for _, partition := range partitions {
			offset, found := begin[partition]
			if !found {
				return fmt.Errorf("topic %s has no partition %d", topic, partition)
			}
			kept[partition] = offset
		}
		p.begin[topic] = kept
	}
	return nil
}

func (p *consumePlan) endAt(ends kadm.ListedOffsets) {
	p.ends = map[string]map[int32]int64{}
	for topic, begin := range p.begin {
		p.ends[topic] = map[int32]int64{}
		for partition, offset := range begin {
			if end, found := ends.Lookup(topic, partition); found && offset < end.Offset {
				p.ends[topic][partition] = end.Offset
				p.remaining++
			}
		}
	}
}

// reached reports whether every partition's end was reached.
func (p *consumePlan) reached() bool { return p.ends != nil && p.remaining == 0 }

// passed notes that a record came, and reports whether it lies beyond the end.
func (p *consumePlan) passed(r *kgo.Record) (beyond bool) {
	if p.ends == nil {
		return false
	}
	end, open := p.ends[r.Topic][r.Partition]
	if !open {
		return true
	}
	if r.Offset >= end-1 {
		delete(p.ends[r.Topic], r.Partition)
		p.remaining--
	}
	return r.Offset >= end
}

func (p *consumePlan) options(topics []string, f consumeFlags) []kgo.Opt {
	options := []kgo.Opt{kgo.KeepControlRecords(), kgo.FetchIsolationLevel(kgo.ReadCommitted())}
	if f.isolation == "read_uncommitted" {
		options = append(options, kgo.FetchIsolationLevel(kgo.ReadUncommitted()))
	}
	if f.group != "" {
		return append(options, kgo.ConsumerGroup(f.group), kgo.ConsumeTopics(topics...), kgo.AutoCommitMarks(), kgo.ConsumeResetOffset(p.from.offset()))
	}
	partitions := map[string]map[int32]kgo.Offset{}
	for topic, begin := range p.begin {
		partitions[topic] = map[int32]kgo.Offset{}
		for partition, offset := range begin {
			partitions[topic][partition] = kgo.NewOffset().At(offset)
		}
	}
	return append(options, kgo.ConsumePartitions(partitions))
}

// offset is where a group begins in partitions for which it has committed nothing.
func (p position) offset() kgo.Offset {
	switch p.kind {
	case atBeginning:
		return kgo.NewOffset().AtStart()
	case atOffset:
		return kgo.NewOffset().At(p.value)
	case atTime:
		return kgo.NewOffset().AfterMilli(p.value)
	case beforeEnd:
		return kgo.NewOffset().AtEnd().Relative(-p.value)
	}
	return kgo.NewOffset().AtEnd()
}
