package node

import (
	"slices"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
)

func raftMessage(kind raftpb.MessageType, index uint64, bytes int) *raftpb.Message {
	m := &raftpb.Message{Type: kind.Enum(), Index: &index}
	if bytes > 0 {
		m.Entries = []*raftpb.Entry{{Data: make([]byte, bytes)}}
	}
	return m
}

// batches empties an outbox, batch by batch, as long as it asks for it.
func batches(b *outbox) (indexes [][]uint64) {
	for {
		select {
		case <-b.wake:
		default:
			return indexes
		}
		var batch []uint64
		for _, m := range b.take() {
			batch = append(batch, m.GetIndex())
		}
		indexes = append(indexes, batch)
	}
}

func TestAHeartbeatOvertakesEntriesAndABatchOfThoseIsSmall(t *testing.T) {
	var b outbox
	b.init()
	b.put(raftMessage(raftpb.MsgApp, 1, maxBatchBytes/2))
	b.put(raftMessage(raftpb.MsgApp, 2, maxBatchBytes/2))
	b.put(raftMessage(raftpb.MsgApp, 3, 3*maxBatchBytes)) // alone, as it is too large for any batch
	b.put(raftMessage(raftpb.MsgSnap, 4, 0))
	b.put(raftMessage(raftpb.MsgHeartbeat, 5, 0))
	b.put(raftMessage(raftpb.MsgAppResp, 6, 0))
	got := batches(&b)
	want := [][]uint64{{5, 6, 1, 2}, {3}, {4}}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("batches %v, want %v", got, want)
	}
}

func TestAnOutboxFullOfEntriesHasRoomForHeartbeats(t *testing.T) {
	var b outbox
	b.init()
	for i := range uint64(maxOutbox) {
		if !b.put(raftMessage(raftpb.MsgApp, i, 1)) {
			t.Fatalf("no room for message %d", i)
		}
	}
	if b.put(raftMessage(raftpb.MsgSnap, maxOutbox, 0)) {
		t.Error("it is not bounded")
	}
	if !b.put(raftMessage(raftpb.MsgHeartbeat, 0, 0)) {
		t.Error("no room for a heartbeat")
	}
}

func TestWhatAnOutboxGaveUpIsNotDelivered(t *testing.T) {
	var b outbox
	b.init()
	b.put(raftMessage(raftpb.MsgApp, 1, 1))
	b.put(raftMessage(raftpb.MsgHeartbeat, 2, 0))
	b.clear()
	for _, batch := range batches(&b) {
		if len(batch) > 0 {
			t.Errorf("delivered %v", batch)
		}
	}
}
