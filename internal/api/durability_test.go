package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestWithAFlushPerMessageNoProduceIsAnsweredBeforeItIsDurable(t *testing.T) {
	for _, acks := range []int16{1, -1} {
		s := newStock(t, 1, 1<<20)
		s.stored("orders", 1, 1)
		release := make(chan struct{})
		s.disk.SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpSync {
				<-release
			}
			return nil
		})
		result := s.start(produceTo("orders", 0, acks, parcel(10)), 9)
		if result.Pending == nil {
			close(release)
			t.Errorf("acks=%d is answered before the sync", acks)
			continue
		}
		select {
		case <-result.Pending.Done:
			t.Errorf("acks=%d is done before the sync", acks)
		default:
		}
		close(release)
		<-result.Pending.Done
		response := result.Pending.Finish().Response.(*kmsg.ProduceResponse)
		if p := response.Topics[0].Partitions[0]; p.ErrorCode != 0 || p.BaseOffset != 0 {
			t.Errorf("acks=%d: %+v", acks, p)
		}
	}
}

func TestWithoutAnswersAFlushPerMessageHoldsNobodyUp(t *testing.T) {
	s := newStock(t, 1, 1<<20)
	s.stored("orders", 1, 1)
	if result := s.start(produceTo("orders", 0, 0, parcel(10)), 9); !result.None {
		t.Errorf("%+v", result)
	}
}
