//go:build suite

package crash

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

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
