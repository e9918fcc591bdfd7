package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/coordinator"
	"github.com/barnabas-mq/barnabas/internal/group"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

// forgetfulLog takes a shard's batches, commits them at once, and never gives them back.
type forgetfulLog struct {
	mu        sync.Mutex
	end       int64
	observers []func(int64)
}

func (l *forgetfulLog) Append(b []byte, _ int32) (int64, error) {
	h, err := batch.ParseHeader(b)
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end += int64(h.NumRecords)
	for _, f := range l.observers {
		f(l.end)
	}
	return l.end, nil
}

func (l *forgetfulLog) Read(int64, int) ([]byte, error) { return nil, errors.New("forgotten") }
func (l *forgetfulLog) StartOffset() int64              { return 0 }
func (l *forgetfulLog) EndOffset() int64                { return 0 }
func (l *forgetfulLog) MaxBatchBytes() int              { return 1 << 20 }
func (l *forgetfulLog) HighWatermark() int64            { return 0 }
func (l *forgetfulLog) OnHighWatermark(f func(int64)) (cancel func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.observers = append(l.observers, f)
	return func() {}
}

// newGroupWorld coordinates groups once their topic, with two partitions of which broker 1 leads both, is created.
func newGroupWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, nil)
	w.topic("t", 1, 1, 1)
	var ids atomic.Int64
	groupConfig := group.DefaultConfig()
	groupConfig.InitialRebalanceDelayMs = 0
	w.broker.Groups = coordinator.New(coordinator.Options{
		Config: groupConfig,
		Partitions: func() int32 {
			if topic, ok := w.now().Topic(coordinator.Topic); ok {
				return int32(len(topic.Partitions))
			}
			return 0
		},
		CreateTopic: func(context.Context) error {
			w.topic(coordinator.Topic, 100, 1, 1)
			return nil
		},
		NewID:  func() string { return fmt.Sprintf("id-%d", ids.Add(1)) },
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	t.Cleanup(w.broker.Groups.Close)
	return w
}

// withGroups has the topic and its shards.
func withGroups(t *testing.T) *world {
	t.Helper()
	w := newGroupWorld(t)
	w.findCoordinator(4, groupCoordinator, "g")
	for p := range int32(2) {
		w.broker.Groups.Lead(p, 1, new(forgetfulLog))
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		loaded := 0
		for range w.broker.Groups.Committed() {
			loaded++
		}
		if loaded == 2 {
			return w
		}
		if time.Now().After(deadline) {
			t.Fatal("shards are not loaded")
		}
	}
}

func (w *world) findCoordinator(version int16, kind int8, keys ...string) *kmsg.FindCoordinatorResponse {
	w.t.Helper()
	r := kmsg.NewPtrFindCoordinatorRequest()
	r.CoordinatorType = kind
	if version < 4 {
		r.CoordinatorKey = keys[0]
	}
	r.CoordinatorKeys = keys
	return w.ask(r, version).(*kmsg.FindCoordinatorResponse)
}

func wantCode(t *testing.T, got int16, want *kerr.Error) {
	t.Helper()
	if want == nil && got != 0 || want != nil && got != want.Code {
		t.Errorf("got %v, want %v", kerr.ErrorForCode(got), want)
	}
}

func TestFindCoordinatorCreatesTheTopicAndNamesItsLeader(t *testing.T) {
	w := newGroupWorld(t)
	r := w.findCoordinator(0, 0, "g")
	wantCode(t, r.ErrorCode, nil)
	if r.NodeID != 1 || r.Host != "registered" {
		t.Errorf("%+v", r)
	}
	if many := w.findCoordinator(6, groupCoordinator, "g", "").Coordinators; len(many) != 2 || many[1].NodeID != 1 {
		t.Errorf("%+v", many)
	}
}

func TestFindCoordinatorRefuses(t *testing.T) {
	w := newGroupWorld(t)
	for _, c := range []struct {
		version int16
		kind    int8
		key     string
		want    *kerr.Error
	}{
		{1, transactionCoordinator, "x", kerr.TransactionalIDAuthorizationFailed},
		{6, transactionCoordinator, "x", kerr.TransactionalIDAuthorizationFailed},
		{5, shareCoordinator, "g:AAAAAAAAAAAAAAAAAAAAAQ:0", kerr.InvalidRequest},
		{6, shareCoordinator, "g:AAAAAAAAAAAAAAAAAAAAAQ:0", kerr.UnsupportedVersion},
		{6, shareCoordinator, "g:AAAAAAAAAAAAAAAAAAAAAQ:zero", kerr.InvalidRequest},
		{6, shareCoordinator, "g:not an id:0", kerr.InvalidRequest},
		{6, shareCoordinator, ":AAAAAAAAAAAAAAAAAAAAAQ:0", kerr.InvalidRequest},
		{6, shareCoordinator, "g", kerr.InvalidRequest},
		{6, 9, "g", kerr.InvalidRequest},
	} {
		r := w.findCoordinator(c.version, c.kind, c.key)
		if c.version < 4 {
			r.Coordinators = []kmsg.FindCoordinatorResponseCoordinator{{ErrorCode: r.ErrorCode, NodeID: r.NodeID}}
		}
		wantCode(t, r.Coordinators[0].ErrorCode, c.want)
		if r.Coordinators[0].NodeID != -1 {
			t.Errorf("%+v: node %d", c, r.Coordinators[0].NodeID)
		}
	}
	if _, exists := w.now().Topic(coordinator.Topic); exists {
		t.Error("the topic was created for nothing")
	}
	w.topic(coordinator.Topic, 100, -1, 2) // nobody leads one partition, and a fenced broker the other
	for _, key := range []string{"a", "b"} {
		wantCode(t, w.findCoordinator(4, groupCoordinator, key).Coordinators[0].ErrorCode, kerr.CoordinatorNotAvailable)
	}
}

func (w *world) commit(version int16, groupID string, topics ...kmsg.OffsetCommitRequestTopic) *kmsg.OffsetCommitResponse {
	w.t.Helper()
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Group, r.Topics = groupID, topics
	return w.ask(r, version).(*kmsg.OffsetCommitResponse)
}

func commitTo(name string, id meta.ID, partitions ...int32) kmsg.OffsetCommitRequestTopic {
	t := kmsg.OffsetCommitRequestTopic{Topic: name, TopicID: id}
	for _, p := range partitions {
		at := kmsg.NewOffsetCommitRequestTopicPartition()
		at.Partition, at.Offset = p, int64(10+p)
		t.Partitions = append(t.Partitions, at)
	}
	return t
}

func (w *world) fetchOffsets(version int16, groupID string, topics ...kmsg.OffsetFetchRequestGroupTopic) kmsg.OffsetFetchResponseGroup {
	w.t.Helper()
	r := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.Topics = groupID, topics
	r.Group, r.Groups = groupID, []kmsg.OffsetFetchRequestGroup{g}
	for _, t := range topics {
		r.Topics = append(r.Topics, kmsg.OffsetFetchRequestTopic{Topic: t.Topic, Partitions: t.Partitions})
	}
	resp := w.ask(r, version).(*kmsg.OffsetFetchResponse)
	if version >= 8 {
		return resp.Groups[0]
	}
	g8 := kmsg.OffsetFetchResponseGroup{ErrorCode: resp.ErrorCode}
	for _, t := range resp.Topics {
		topic := kmsg.OffsetFetchResponseGroupTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, kmsg.OffsetFetchResponseGroupTopicPartition{
				Partition: p.Partition, Offset: p.Offset, ErrorCode: p.ErrorCode,
			})
		}
		g8.Topics = append(g8.Topics, topic)
	}
	return g8
}

func fetchOf(name string, id meta.ID, partitions ...int32) kmsg.OffsetFetchRequestGroupTopic {
	return kmsg.OffsetFetchRequestGroupTopic{Topic: name, TopicID: id, Partitions: partitions}
}

func TestOffsetsAreCommittedAndFetchedInEveryVersion(t *testing.T) {
	w := withGroups(t)
	for version := int16(0); version <= 10; version++ {
		groupID := fmt.Sprint("g", version)
		committed := w.commit(version, groupID, commitTo("t", topicID(1), 0, 2, 1), commitTo("nowhere", topicID(9), 0)).Topics
		if len(committed) != 2 {
			t.Fatalf("version %d: %+v", version, committed)
		}
		// What is refused comes first, as in Kafka.
		unknown := kerr.UnknownTopicOrPartition
		if version >= 10 {
			unknown = kerr.UnknownTopicID
		}
		partitions := committed[0].Partitions
		slices.SortFunc(partitions, func(a, b kmsg.OffsetCommitResponseTopicPartition) int { return int(a.Partition - b.Partition) })
		wantCode(t, partitions[0].ErrorCode, nil)
		wantCode(t, partitions[1].ErrorCode, nil)
		wantCode(t, partitions[2].ErrorCode, kerr.UnknownTopicOrPartition)
		wantCode(t, committed[1].Partitions[0].ErrorCode, unknown)

		g := w.fetchOffsets(version, groupID, fetchOf("t", topicID(1), 1, 5), fetchOf("nowhere", topicID(9), 0))
		wantCode(t, g.ErrorCode, nil)
		none := (*kerr.Error)(nil)
		if version == 0 {
			none = kerr.UnknownTopicOrPartition
		}
		if got := g.Topics[0].Partitions; got[0].Offset != 11 || got[1].Offset != -1 {
			t.Errorf("version %d: %+v", version, got)
		}
		wantCode(t, g.Topics[0].Partitions[1].ErrorCode, none)
		if version >= 10 {
			none = kerr.UnknownTopicID
		}
		wantCode(t, g.Topics[1].Partitions[0].ErrorCode, none)

		all := w.fetchOffsets(version, groupID)
		if version >= 2 && (len(all.Topics) != 1 || len(all.Topics[0].Partitions) != 2) {
			t.Errorf("version %d: all offsets are %+v", version, all)
		}
	}
}

func TestAFetchFromAnotherCoordinatorSaysSoWhereItsVersionCan(t *testing.T) {
	w := withGroups(t)
	w.broker.Groups.Resign(0)
	w.broker.Groups.Resign(1)
	for _, version := range []int16{1, 2, 7, 8, 10} {
		g := w.fetchOffsets(version, "g", fetchOf("t", topicID(1), 0))
		if version == 1 {
			wantCode(t, g.Topics[0].Partitions[0].ErrorCode, kerr.NotCoordinator)
		} else {
			wantCode(t, g.ErrorCode, kerr.NotCoordinator)
		}
	}
}

func TestAMemberLivesThroughTheApis(t *testing.T) {
	w := withGroups(t)
	for version := int16(0); version <= 9; version++ {
		groupID := fmt.Sprint("g", version)
		join := kmsg.NewPtrJoinGroupRequest()
		join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = groupID, 10_000, 10_000
		join.ProtocolType, join.Protocols = "consumer", []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("m")}}
		joined := w.ask(join, version).(*kmsg.JoinGroupResponse)
		if version >= 4 {
			wantCode(t, joined.ErrorCode, kerr.MemberIDRequired)
			join.MemberID = joined.MemberID
			joined = w.ask(join, version).(*kmsg.JoinGroupResponse)
		}
		wantCode(t, joined.ErrorCode, nil)
		if joined.Generation != 1 || joined.LeaderID != joined.MemberID || len(joined.Members) != 1 {
			t.Fatalf("version %d: %+v", version, joined)
		}

		synced := kmsg.NewPtrSyncGroupRequest()
		synced.Group, synced.MemberID, synced.Generation = groupID, joined.MemberID, 1
		synced.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: joined.MemberID, MemberAssignment: []byte("a")}}
		if version >= 5 {
			synced.ProtocolType, synced.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
		}
		got := w.ask(synced, min(version, 5)).(*kmsg.SyncGroupResponse)
		wantCode(t, got.ErrorCode, nil)
		if string(got.MemberAssignment) != "a" {
			t.Errorf("version %d: assignment %q", version, got.MemberAssignment)
		}

		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Group, beat.MemberID, beat.Generation = groupID, joined.MemberID, 1
		wantCode(t, w.ask(beat, min(version, 4)).(*kmsg.HeartbeatResponse).ErrorCode, nil)

		describe := kmsg.NewPtrDescribeGroupsRequest()
		describe.Groups, describe.IncludeAuthorizedOperations = []string{groupID, "nowhere"}, true
		described := w.ask(describe, min(version, 6)).(*kmsg.DescribeGroupsResponse).Groups
		if d := described[0]; d.State != "Stable" || d.Members[0].ClientHost != "/10.0.0.9" || d.Members[0].ClientID != "" {
			t.Errorf("version %d: %+v", version, d)
		}
		if version >= 3 && described[0].AuthorizedOperations != groupOperations {
			t.Errorf("version %d: operations %d", version, described[0].AuthorizedOperations)
		}
		if described[1].State != "Dead" {
			t.Errorf("version %d: %+v", version, described[1])
		}

		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group, leave.MemberID = groupID, joined.MemberID
		leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: joined.MemberID}}
		wantCode(t, w.ask(leave, min(version, 5)).(*kmsg.LeaveGroupResponse).ErrorCode, nil)
		wantCode(t, w.ask(beat, min(version, 4)).(*kmsg.HeartbeatResponse).ErrorCode, kerr.UnknownMemberID)
	}
	list := kmsg.NewPtrListGroupsRequest()
	list.StatesFilter = []string{"empty"}
	if groups := w.ask(list, 5).(*kmsg.ListGroupsResponse).Groups; len(groups) != 10 {
		t.Errorf("%d groups are listed", len(groups))
	}
	remove := kmsg.NewPtrDeleteGroupsRequest()
	remove.Groups = []string{"g0", "nowhere", "g0"}
	removed := w.ask(remove, 3).(*kmsg.DeleteGroupsResponse).Groups
	if len(removed) != 2 {
		t.Errorf("%+v", removed)
	}
}

func TestOffsetDeleteTellsOfPartitionsThatDoNotExist(t *testing.T) {
	w := withGroups(t)
	w.commit(8, "g", commitTo("t", meta.ID{}, 0, 1))
	r := kmsg.NewPtrOffsetDeleteRequest()
	r.Group = "g"
	r.Topics = []kmsg.OffsetDeleteRequestTopic{
		{Topic: "t", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}, {Partition: 7}}},
		{Topic: "nowhere", Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{Partition: 0}}},
	}
	got := w.ask(r, 0).(*kmsg.OffsetDeleteResponse)
	wantCode(t, got.ErrorCode, nil)
	wantCode(t, got.Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
	wantCode(t, got.Topics[0].Partitions[1].ErrorCode, nil)
	wantCode(t, got.Topics[1].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
	r.Group = "nowhere"
	wantCode(t, w.ask(r, 0).(*kmsg.OffsetDeleteResponse).ErrorCode, kerr.GroupIDNotFound)
}

func TestAParkedJoinIsCutWhenTheBrokerStops(t *testing.T) {
	w := withGroups(t)
	join := kmsg.NewPtrJoinGroupRequest()
	join.Version, join.Group, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = 3, "g", 10_000, 60_000
	join.ProtocolType, join.Protocols = "consumer", []kmsg.JoinGroupRequestProtocol{{Name: "range"}}
	wantCode(t, w.ask(join, 3).(*kmsg.JoinGroupResponse).ErrorCode, nil)

	second := w.broker.joinGroup(&Request{
		Conn: &Conn{Peer: &net.TCPAddr{IP: net.IPv6loopback}}, Version: 3, Body: join, Ctx: t.Context(),
	})
	if second.Pending == nil {
		t.Fatalf("answered early: %+v", second)
	}
	second.Pending.Cut()
	<-second.Pending.Done
	wantCode(t, second.Pending.Finish().Response.(*kmsg.JoinGroupResponse).ErrorCode, kerr.NotCoordinator)
}
