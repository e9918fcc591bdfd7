//go:build suite

package oracle

import (
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func number[T int16 | int32 | int64 | int](n T) string { return fmt.Sprint(n) }

// Producer prepares an idempotent producer's id.
func (t *Talk) Producer() (int64, int16) {
	r := kmsg.NewPtrInitProducerIDRequest()
	r.Version, r.ProducerID, r.ProducerEpoch, r.TransactionTimeoutMillis = 3, -1, -1, 60000
	for {
		got := t.Must(r).(*kmsg.InitProducerIDResponse)
		if got.ErrorCode == 0 {
			return got.ProducerID, got.ProducerEpoch
		}
	}
}

func aboutIdempotence() []conversation {
	return []conversation{
		since(kmsg.Produce, 3, "an idempotent producer", func(t *Talk) {
			to := t.Topic("", 2)
			id, epoch := t.Producer()
			send := func(step string, epoch int16, sequence int32, n int) {
				t.Ask(step, produce(t.Version, to, 0, batchOf(recs(n)...).from(id, epoch, sequence).bytes()))
			}
			send("first", epoch, 0, 2)
			send("first again", epoch, 0, 2)
			send("second", epoch, 2, 3)
			send("first once more", epoch, 0, 2)
			send("first with another length", epoch, 0, 1)
			send("a gap", epoch, 9, 1)
			for i := range int32(5) {
				send("then "+number(i), epoch, 5+i, 1)
			}
			send("the fifth last again", epoch, 5, 1)
			send("an older one again", epoch, 2, 3)
			send("the oldest again", epoch, 0, 2)
			send("an epoch below", epoch-1, 10, 1)
			send("a new epoch not at zero", epoch+2, 4, 1)
			send("a new epoch at zero", epoch+2, 0, 1)
			send("the epoch before", epoch+1, 0, 1)
			send("the old epoch", epoch, 10, 1)
			t.Contents("contents", to, 0)
			producers := kmsg.NewPtrDescribeProducersRequest()
			one := kmsg.NewDescribeProducersRequestTopic()
			one.Topic, one.Partitions = to.name, []int32{0, 1}
			producers.Topics = append(producers.Topics, one)
			t.Ask("producers", producers)
		}),
		since(kmsg.Produce, 3, "a duplicate with append time", func(t *Talk) {
			to := t.Topic("", 1, "message.timestamp.type", "LogAppendTime")
			id, epoch := t.Producer()
			send := func(step string) int64 {
				r, ok := t.Ask(step, produce(t.Version, to, 0, batchOf(recs(2)...).from(id, epoch, 0).bytes())).(*kmsg.ProduceResponse)
				if !ok {
					return -1
				}
				return r.Topics[0].Partitions[0].LogAppendTime
			}
			first, at := send("first"), time.Now()
			t.await("the clock to go on", func() bool { return time.Since(at) > 20*time.Millisecond })
			t.Note("same time", send("again") == first)
		}),
		since(kmsg.Produce, 3, "an unknown producer", func(t *Talk) {
			to := t.Topic("", 1)
			id, _ := t.Producer()
			t.Ask("starts anywhere", produce(t.Version, to, 0, batchOf(recs(2)...).from(id, 3, 77).bytes()))
			t.Ask("goes on", produce(t.Version, to, 0, batchOf(recs(2)...).from(id, 3, 79).bytes()))
			t.Ask("goes back", produce(t.Version, to, 0, batchOf(recs(2)...).from(id, 3, 0).bytes()))
		}),
		since(kmsg.Produce, 3, "sequences wrap", func(t *Talk) {
			to := t.Topic("", 1)
			id, _ := t.Producer()
			t.Ask("before", produce(t.Version, to, 0, batchOf(recs(2)...).from(id, 0, math.MaxInt32-3).bytes()))
			t.Ask("across", produce(t.Version, to, 0, batchOf(recs(4)...).from(id, 0, math.MaxInt32-1).bytes()))
			t.Ask("across again", produce(t.Version, to, 0, batchOf(recs(4)...).from(id, 0, math.MaxInt32-1).bytes()))
			t.Ask("after", produce(t.Version, to, 0, batchOf(recs(1)...).from(id, 0, 2).bytes()))
			t.Contents("contents", to, 0)
		}),
		every(kmsg.InitProducerID, "transactions are not served yet", func(t *Talk) {
			r := kmsg.NewPtrInitProducerIDRequest()
			r.Version, r.ProducerID, r.ProducerEpoch, r.TransactionTimeoutMillis = t.Version, -1, -1, 60000
			r.TransactionalID = &t.Name
			t.Ask("a transactional id", r)
		}),
		every(kmsg.FindCoordinator, "transactions are not served yet", func(t *Talk) {
			if t.Version == 0 {
				return // knows groups alone
			}
			r := kmsg.NewPtrFindCoordinatorRequest()
			r.Version, r.CoordinatorType, r.CoordinatorKey, r.CoordinatorKeys = t.Version, 1, t.Name, []string{t.Name}
			t.Ask("a transaction", r)
		}),
		every(kmsg.InitProducerID, "without a transactional id", func(t *Talk) {
			new := func(change func(r *kmsg.InitProducerIDRequest)) *kmsg.InitProducerIDRequest {
				r := kmsg.NewPtrInitProducerIDRequest()
				r.Version, r.ProducerID, r.ProducerEpoch, r.TransactionTimeoutMillis = t.Version, -1, -1, 60000
				change(r)
				return r
			}
			t.Ask("new", new(func(*kmsg.InitProducerIDRequest) {}))
			t.Ask("another", new(func(*kmsg.InitProducerIDRequest) {}))
			t.Ask("timeout 0", new(func(r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = 0 }))
			t.Ask("timeout negative", new(func(r *kmsg.InitProducerIDRequest) { r.TransactionTimeoutMillis = -1 }))
			if t.Version >= 3 {
				t.Ask("with id and epoch", new(func(r *kmsg.InitProducerIDRequest) { r.ProducerID, r.ProducerEpoch = 77, 3 }))
				t.Ask("with id alone", new(func(r *kmsg.InitProducerIDRequest) { r.ProducerID = 77 }))
				t.Ask("with epoch alone", new(func(r *kmsg.InitProducerIDRequest) { r.ProducerEpoch = 3 }))
			}
			t.Ask("empty transactional id", new(func(r *kmsg.InitProducerIDRequest) { r.TransactionalID = kmsg.StringPtr("") }))
		}),
	}
}
