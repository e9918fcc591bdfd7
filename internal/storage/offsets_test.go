package storage

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

func TestABatchWhoseOffsetChangedOnDiskIsNotServed(t *testing.T) {
	for _, c := range []struct {
		name      string
		batch     int   // the damaged one of five, which have one record each, from offset 10
		offset    int64 // what it says
		wantGood  int   // batches
		wantCause error
	}{
		{"ahead, behind the end of what was asked for", 2, 4106, 2, errOutOfRange},
		{"ahead, before the end", 2, 14, 2, errBackwards},
		{"ahead, the first", 0, 12, 0, errBackwards},
		{"back", 3, 11, 3, errBackwards},
		{"before the segment", 0, 2, 0, errBackwards},
	} {
		t.Run(c.name, func(t *testing.T) {
			var all []byte
			size := 0
			for i := range 5 {
				b := batch.NewBuilder(batch.BuilderOptions{BaseOffset: int64(10 + i)})
				b.Append(batch.Record{Value: []byte("value")})
				one := b.Build()
				if i == c.batch {
					batch.SetBaseOffset(one, c.offset)
				}
				size = len(one)
				all = append(all, one...)
			}
			good, err := verifyBatches(all, 10, 0, 10, 15)
			if good != c.wantGood*size || !errors.Is(err, c.wantCause) || !errors.Is(err, kerr.CorruptMessage) {
				t.Errorf("%d good batches and %v, want %d and %v", good/size, err, c.wantGood, c.wantCause)
			}
		})
	}
}
