package peer

import (
	"errors"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

func messages() Messages {
	return Messages{ClusterID: "abc", To: 7, Messages: []*raftpb.Message{
		{Type: raftpb.MsgHeartbeat.Enum(), To: proto.Uint64(7), From: proto.Uint64(3), Term: proto.Uint64(9)},
		{Type: raftpb.MsgApp.Enum(), To: proto.Uint64(7), From: proto.Uint64(3), Entries: []*raftpb.Entry{{Data: []byte("entry")}}},
	}}
}

func TestMessagesComeOutAsTheyWentIn(t *testing.T) {
	b, err := messages().Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeMessages(b)
	if err != nil || got.ClusterID != "abc" || got.To != 7 || len(got.Messages) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, m := range messages().Messages {
		if !proto.Equal(m, got.Messages[i]) {
			t.Errorf("message %d is %v", i, got.Messages[i])
		}
	}
}

func TestHelloComesOutAsItWentIn(t *testing.T) {
	h := Hello{ClusterID: "abc", NodeID: 3, DirectoryID: "xyz", RaftID: 1<<63 + 5, Born: true, Voters: []uint64{1<<63 + 5, 2}}
	got, err := DecodeHello(h.Encode())
	if err != nil || got.RaftID != h.RaftID || got.NodeID != 3 || !got.Born || len(got.Voters) != 2 || got.Voters[0] != h.RaftID {
		t.Fatalf("%+v, %v", got, err)
	}
}

func FuzzDecodeMessages(f *testing.F) {
	whole, err := messages().Encode(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMessages(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		again, err := m.Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := DecodeMessages(again); err != nil || len(second.Messages) != len(m.Messages) || second.To != m.To {
			t.Fatalf("%q became %q: %v", b, again, err)
		}
	})
}
