//go:build suite

package oracle

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// warm has the offsets topic created and every partition of it loaded.
func warm(b *broker) error {
	t := newTalk(b, "warm", 0)
	defer t.closeAll()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for group := 0; group < 40; {
		find := kmsg.NewPtrFindCoordinatorRequest()
		find.CoordinatorKey = fmt.Sprint("warm", group)
		commit := kmsg.NewPtrHeartbeatRequest()
		commit.Group, commit.MemberID, commit.Generation = find.CoordinatorKey, "nobody", 1
		find.SetVersion(1)
		commit.SetVersion(3)
		found, err := t.Send("", find).take(answerTime)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		beat, err := t.Send("", commit).take(answerTime)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		const unknownMember = 25
		if found.(*kmsg.FindCoordinatorResponse).ErrorCode == 0 && beat.(*kmsg.HeartbeatResponse).ErrorCode == unknownMember {
			group++
			continue
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: no coordinator: find %+v, heartbeat %+v", b.name, found, beat)
		case <-ticker.C:
		}
	}
	return nil
}

// warmTransactions has a Kafka create its transactions' topic, without which it refuses for another reason than it
// would later. Barnabas serves no transactions and says so.
func warmTransactions(b *broker) error {
	t := newTalk(b, "warm", 0)
	defer t.closeAll()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	r := kmsg.NewPtrInitProducerIDRequest()
	r.Version, r.TransactionalID, r.TransactionTimeoutMillis = 1, kmsg.StringPtr("warm"), 60000
	for {
		got, err := t.Send("", r).take(answerTime)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		const coordinatorNotAvailable, coordinatorLoading, notCoordinator = 15, 14, 16
		switch got.(*kmsg.InitProducerIDResponse).ErrorCode {
		case coordinatorNotAvailable, coordinatorLoading, notCoordinator:
			find := kmsg.NewPtrFindCoordinatorRequest()
			find.Version, find.CoordinatorKey, find.CoordinatorType = 1, "warm", 1
			if _, err := t.Send("", find).take(answerTime); err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
		default:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: no transaction coordinator: %+v", b.name, got)
		case <-ticker.C:
		}
	}
}
