//go:build suite

package crash

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// readPartition reads a partition from an offset to the end that it has when called.
func readPartition(ctx context.Context, address, topic string, partition int32, from int64) ([]found, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(from)}}))
	if err != nil {
		return nil, 0, err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, 0, err
	}
	end, ok := ends.Lookup(topic, partition)
	if !ok || end.Err != nil {
		return nil, 0, fmt.Errorf("end of %s-%d: %v", topic, partition, end.Err)
	}
	var records []found
	next := from
	for next < end.Offset {
		fetches := client.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			return records, end.Offset, fmt.Errorf("read %s-%d at offset %d: %w", e.Topic, e.Partition, next, e.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset < end.Offset {
				records = append(records, found{r.Offset, string(r.Value)})
			}
			next = r.Offset + 1
		})
	}
	return records, end.Offset, nil
}

// committedOffset is what the committer's group has committed, -1 if nothing.
func committedOffset(ctx context.Context, address string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	offsets, err := kadm.NewClient(client).FetchOffsets(ctx, group)
	if err != nil {
		return 0, err
	}
	at, ok := offsets.Lookup("rolled", 0)
	if !ok {
		return -1, nil
	}
	return at.At, at.Err
}
