package replica

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/storage"
)

// A producer tells its user the time of the answer as that of the record, so it has to be the one that consumers read.
func TestARetriedBatchIsAnsweredWithTheTimeOfItsFirstAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, 1000)
		h.settings.Check.LogAppendTime = true
		h.apply(topicRecords("orders", 1)...)
		p := h.partition("orders")
		attempt := func() Appended {
			b := batch.NewBuilder(batch.BuilderOptions{Producer: &batch.Producer{ID: 7}})
			b.Append(batch.Record{Timestamp: 1_700_000_000_000, Value: []byte("once")})
			appended, err := p.Append(b.Build(), AppendOptions{Origin: storage.Client, LeaderEpoch: -1, ProduceVersion: 9})
			if err != nil {
				t.Fatal(err)
			}
			return appended
		}
		now := time.Now().UnixMilli()
		first := attempt()
		time.Sleep(time.Minute)
		again := attempt()
		if !again.Duplicate || first.LogAppendTimeMs != now || again.LogAppendTimeMs != now {
			t.Errorf("at %d the first attempt was told %d, the second, a minute later, %d", now, first.LogAppendTimeMs, again.LogAppendTimeMs)
		}
	})
}
