package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/group"
)

// loadBytes is how much of a log is read at a time when a shard is loaded.
const loadBytes = 4 << 20

// maxDecodedBatch bounds a batch that somebody compressed: Kafka's brokers may be told to.
const maxDecodedBatch = 256 << 20

// shardConfig bounds a shard's records by what its log takes at the time.
func shardConfig(c *group.Config, log Log) *group.Config {
	bounded := *c
	bounded.MaxRecordBytes = func() int { return max(log.MaxBatchBytes()-batch.HeaderSize, 0) }
	return &bounded
}

// appender writes what a shard decides.
type appender struct{ shard *shard }

// Append writes the changes as one batch, without waiting for its commit.
func (a *appender) Append(changes []group.Change) (int64, error) {
	now := a.shard.o.Now().UnixMilli()
	b := batch.NewBuilder(batch.BuilderOptions{LeaderEpoch: a.shard.epoch})
	for _, change := range changes {
		for _, r := range change {
			key, value := group.Encode(r)
			b.Append(batch.Record{Timestamp: now, Key: key, Value: value})
		}
	}
	end, err := a.shard.log.Append(b.Build(), a.shard.epoch)
	if err != nil {
		return 0, fmt.Errorf("partition %s: append: %w", a.shard, err)
	}
	a.tell(changes)
	return end, nil
}

// tell logs what became of groups: generations explain much of what consumers do. They are few, but for a group whose members
// drive each other out.
func (a *appender) tell(changes []group.Change) {
	for _, change := range changes {
		for _, r := range change {
			g, ok := r.(group.GroupRecord)
			switch {
			case !ok:
			case g.Value == nil:
				a.shard.o.Complaints.Say(slog.LevelInfo, "deleted "+g.Group, "group deleted", "group", g.Group)
			default:
				a.shard.o.Complaints.Say(slog.LevelInfo, g.Group, "group rebalanced", "group", g.Group, "generation", g.Value.Generation,
					"members", len(g.Value.Members), "partition", a.shard.partition)
			}
		}
	}
}

type loadStats struct{ records, unknown int }

var errLogEndsEarly = errors.New("log ends before its end offset")

// load replays a log up to the end that it has now, and waits until that is committed: what a shard tells may not be
// undone, and a new leader's log may end in records that are not committed yet.
func load(ctx context.Context, log Log, o Options) (*group.Shard, loadStats, error) {
	var stats loadStats
	loader := group.NewLoader(shardConfig(o.Config, log))
	end := log.EndOffset()
	for at := log.StartOffset(); at < end; {
		if err := ctx.Err(); err != nil {
			return nil, stats, err
		}
		read, err := log.Read(at, loadBytes)
		if err != nil {
			return nil, stats, fmt.Errorf("read from offset %d: %w", at, err)
		}
		if len(read) == 0 {
			return nil, stats, fmt.Errorf("%w: nothing at %d, end %d", errLogEndsEarly, at, end)
		}
		for len(read) > 0 {
			h, whole, rest, err := batch.Next(read)
			if err != nil {
				return nil, stats, fmt.Errorf("batch behind offset %d: %w", at, err)
			}
			if err := replay(loader, h, whole, at, &stats); err != nil {
				return nil, stats, err
			}
			at, read = max(at, h.NextOffset()), rest
		}
	}
	if err := committed(ctx, log, end); err != nil {
		return nil, stats, err
	}
	return loader.Loaded(o.Now()), stats, nil
}

// replay hands the records of a batch that are not below an offset to the loader.
func replay(loader *group.Loader, h batch.Header, whole []byte, from int64, stats *loadStats) error {
	producer := int64(group.NoProducer)
	if h.Transactional() {
		producer = h.ProducerID
	}
	for r, err := range batch.Records(whole, maxDecodedBatch) {
		if err != nil {
			return fmt.Errorf("batch at offset %d: %w", h.BaseOffset, err)
		}
		if r.Offset < from {
			continue
		}
		stats.records++
		decoded, err := decode(h, r, producer)
		switch {
		case errors.Is(err, group.ErrUnknownKind):
			stats.unknown++
		case err != nil:
			return fmt.Errorf("record at offset %d: %w", r.Offset, err)
		case decoded != nil:
			loader.Replay(decoded)
		}
	}
	return nil
}

func decode(h batch.Header, r batch.Record, producer int64) (group.Record, error) {
	if !h.Control() {
		return group.Decode(r.Key, r.Value, producer)
	}
	kind, err := batch.ParseControlType(r.Key)
	if err != nil {
		return nil, err
	}
	switch kind {
	case batch.ControlCommit, batch.ControlAbort:
		return group.MarkerRecord{ProducerID: h.ProducerID, Committed: kind == batch.ControlCommit}, nil
	default:
		return nil, nil
	}
}

// committed waits until the log is committed below end.
func committed(ctx context.Context, log Log, end int64) error {
	moved := make(chan struct{}, 1)
	cancel := log.OnHighWatermark(func(int64) {
		select {
		case moved <- struct{}{}:
		default:
		}
	})
	defer cancel()
	for log.HighWatermark() < end {
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
