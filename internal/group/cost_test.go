package group

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// largeGroup is a stable group of a thousand members.
func largeGroup(t testing.TB) (*world, []string) {
	config := DefaultConfig()
	w := newWorld(config)
	members := make([]string, 1_000)
	assign := kmsg.NewPtrSyncGroupRequest()
	assign.Group, assign.Generation = "g", 1
	for i := range members {
		r := kmsg.NewPtrJoinGroupRequest()
		r.Version, r.Group, r.ProtocolType = 3, "g", "consumer"
		r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 45_000, 300_000
		r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("m")}}
		id := fmt.Sprintf("c-%03d", i)
		members[i] = id
		w.submit(Join(r, Caller{ClientID: "c"}, fmt.Sprintf("%03d", i), func(kmsg.Response) {}))
		assign.GroupAssignment = append(assign.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{MemberID: id})
	}
	w.advance(10 * time.Second)
	assign.MemberID = members[0]
	w.submit(Sync(assign, func(kmsg.Response) {}))
	if g, _ := w.shard.groups.Get("g"); g == nil || g.State != Stable || g.Size() != len(members) {
		t.Fatalf("the group is %+v", g)
	}
	return w, members
}

func TestAHeartbeatCopiesNothingOfALargeGroup(t *testing.T) {
	w, members := largeGroup(t)
	r := kmsg.NewPtrHeartbeatRequest()
	r.Group, r.Generation, r.MemberID = "g", 1, members[500]
	before, _ := w.shard.groups.Get("g")
	reply := func(kmsg.Response) {}
	if n := testing.AllocsPerRun(100, func() { w.take(Heartbeat(r, reply)(w.shard, w.now)) }); n > 12 {
		t.Errorf("%v allocations", n)
	}
	if after, _ := w.shard.groups.Get("g"); after != before {
		t.Error("the group was copied")
	}
}

func BenchmarkHeartbeatInALargeGroup(b *testing.B) {
	w, members := largeGroup(b)
	r := kmsg.NewPtrHeartbeatRequest()
	r.Group, r.Generation = "g", 1
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.MemberID = members[i%len(members)]
		w.take(Heartbeat(r, func(kmsg.Response) {})(w.shard, w.now))
	}
}

func BenchmarkCommitOfTenPartitions(b *testing.B) {
	w := newWorld(DefaultConfig())
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Group = "g"
	r.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: "t"}}
	for p := range int32(10) {
		r.Topics[0].Partitions = append(r.Topics[0].Partitions, kmsg.OffsetCommitRequestTopicPartition{Partition: p})
	}
	b.ReportAllocs()
	for b.Loop() {
		d := Commit(r, func(kmsg.Response) {})(w.shard, w.now)
		w.shard = Replay(d.State, d.Records[0])
	}
}

func BenchmarkRebalanceOfAThousand(b *testing.B) {
	for b.Loop() {
		largeGroup(b)
	}
}
