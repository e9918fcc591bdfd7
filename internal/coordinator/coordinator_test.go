package coordinator

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/group"
)

// house is a coordinator with its logs, in a bubble of fake time.
type house struct {
	*Coordinator
	t          *testing.T
	partitions int32
	logs       map[int32]*memLog
	ids        int
}

func inHouse(t *testing.T, partitions int32, story func(h *house)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &house{t: t, partitions: partitions, logs: make(map[int32]*memLog)}
		config := group.DefaultConfig()
		config.InitialRebalanceDelayMs = 0
		h.Coordinator = New(Options{
			Config:      config,
			Partitions:  func() int32 { return h.partitions },
			CreateTopic: func(context.Context) error { h.partitions = 1; return nil },
			NewID:       func() string { h.ids++; return fmt.Sprint(h.ids) },
			Logger:      slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		defer h.Close()
		for p := range partitions {
			h.logs[p] = newMemLog()
		}
		story(h)
	})
}

func (h *house) leadAll(epoch int32) {
	for p, log := range h.logs {
		h.Lead(p, epoch, log)
	}
	synctest.Wait()
}

// ask gives the answer, which must be there without any time passing.
func ask[R kmsg.Response](h *house, request kmsg.Request) R {
	h.t.Helper()
	call := h.Start(request, Caller{ClientID: "c", ClientHost: "/127.0.0.1"})
	synctest.Wait()
	select {
	case <-call.Done():
	default:
		h.t.Fatalf("%T is not answered", request)
	}
	return call.Response().(R)
}

// begin starts a request that must not be answered yet.
func (h *house) begin(request kmsg.Request) *Call {
	h.t.Helper()
	call := h.Start(request, Caller{ClientID: "c", ClientHost: "/127.0.0.1"})
	synctest.Wait()
	select {
	case <-call.Done():
		h.t.Fatalf("%T is answered early: %+v", request, call.Response())
	default:
	}
	return call
}

func (h *house) code(got int16, want *kerr.Error) {
	h.t.Helper()
	if want == nil && got != 0 || want != nil && got != want.Code {
		h.t.Fatalf("got %v, want %v", kerr.ErrorForCode(got), want)
	}
}

func commit(groupID string, offset int64) *kmsg.OffsetCommitRequest {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group = 8, groupID
	r.Topics = []kmsg.OffsetCommitRequestTopic{{
		Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: offset, LeaderEpoch: -1, Timestamp: -1}},
	}}
	return r
}

func (h *house) commits(groupID string, offset int64) int16 {
	h.t.Helper()
	return ask[*kmsg.OffsetCommitResponse](h, commit(groupID, offset)).Topics[0].Partitions[0].ErrorCode
}

func fetch(stable bool, groups ...string) *kmsg.OffsetFetchRequest {
	r := kmsg.NewPtrOffsetFetchRequest()
	r.Version, r.RequireStable = 9, stable
	for _, id := range groups {
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = id
		g.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: "t", Partitions: []int32{0}}}
		r.Groups = append(r.Groups, g)
	}
	return r
}

func (h *house) committedOffset(groupID string) int64 {
	h.t.Helper()
	g := ask[*kmsg.OffsetFetchResponse](h, fetch(false, groupID)).Groups[0]
	h.code(g.ErrorCode, nil)
	return g.Topics[0].Partitions[0].Offset
}

func join(version int16, groupID, member string) *kmsg.JoinGroupRequest {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.MemberID, r.ProtocolType = version, groupID, member, "consumer"
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 10_000, 30_000
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("m")}}
	return r
}

func syncGroup(groupID, member string, generation int32, assigned ...string) *kmsg.SyncGroupRequest {
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.MemberID, r.Generation = 3, groupID, member, generation
	for _, m := range assigned {
		r.GroupAssignment = append(r.GroupAssignment,
			kmsg.SyncGroupRequestGroupAssignment{MemberID: m, MemberAssignment: []byte("for " + m)})
	}
	return r
}

func heartbeat(groupID, member string, generation int32) *kmsg.HeartbeatRequest {
	r := kmsg.NewPtrHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.Generation = 3, groupID, member, generation
	return r
}

func TestGroupsBelongToThePartitionsThatKafkaPutsThemIn(t *testing.T) {
	// Java: Math.abs("…".hashCode()) % 50, with 0 for Integer.MIN_VALUE. "polygenelubricants" hashes to that.
	for id, want := range map[string]int32{
		"": 0, "a": 97 % 50, "ab": (97*31 + 98) % 50, "polygenelubricants": 0, "\U0001F600": 1772899 % 50, "é": 233 % 50,
	} {
		if got := PartitionFor(id, 50); got != want {
			t.Errorf("group %q: partition %d, want %d", id, got, want)
		}
	}
}

func TestAGroupGoesOnWithItsGenerationUnderANewLeader(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		h.leadAll(1)
		joined := ask[*kmsg.JoinGroupResponse](h, join(3, "g", ""))
		h.code(joined.ErrorCode, nil)
		synced := ask[*kmsg.SyncGroupResponse](h, syncGroup("g", joined.MemberID, 1, joined.MemberID))
		h.code(synced.ErrorCode, nil)
		h.code(h.commits("simple", 7), nil)

		h.Lead(0, 2, h.logs[0])
		synctest.Wait()
		h.code(ask[*kmsg.HeartbeatResponse](h, heartbeat("g", joined.MemberID, 1)).ErrorCode, nil)
		if got := h.committedOffset("simple"); got != 7 {
			t.Errorf("offset %d, want 7", got)
		}
		time.Sleep(11 * time.Second) // and its session began anew
		h.code(ask[*kmsg.HeartbeatResponse](h, heartbeat("g", joined.MemberID, 1)).ErrorCode, kerr.UnknownMemberID)
	})
}

func TestNothingIsToldBeforeItIsCommitted(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		h.leadAll(1)
		h.code(h.commits("g", 1), nil)
		h.logs[0].hold()
		committing := h.begin(commit("g", 2))
		if got := h.committedOffset("g"); got != 1 {
			t.Errorf("offset %d is read before it is committed", got)
		}
		stable := h.begin(fetch(true, "g"))
		h.logs[0].commit()
		synctest.Wait()
		<-committing.Done()
		<-stable.Done()
		if got := stable.Response().(*kmsg.OffsetFetchResponse).Groups[0].Topics[0].Partitions[0].Offset; got != 2 {
			t.Errorf("a stable read gives %d, want 2", got)
		}
	})
}

func TestAFailedAppendIsToldAndUndone(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		h.leadAll(1)
		h.code(h.commits("g", 1), nil)
		for failure, want := range map[*kerr.Error]*kerr.Error{
			kerr.NotEnoughReplicas:     kerr.CoordinatorNotAvailable,
			kerr.NotLeaderForPartition: kerr.NotCoordinator,
			kerr.KafkaStorageError:     kerr.NotCoordinator,
			kerr.MessageTooLarge:       kerr.UnknownServerError,
		} {
			h.logs[0].fail(fmt.Errorf("disk: %w", failure))
			h.code(h.commits("g", 2), want)
		}
		h.logs[0].fail(nil)
		if got := h.committedOffset("g"); got != 1 {
			t.Errorf("offset %d, want 1", got)
		}
		h.code(h.commits("g", 3), nil)
	})
}

func TestWhoeverWaitsIsToldWhenTheLeaderChanges(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		h.leadAll(1)
		first := ask[*kmsg.JoinGroupResponse](h, join(3, "g", ""))
		joining := h.begin(join(3, "g", "")) // parked in the state: the first has to join again
		h.logs[0].hold()
		committing := h.begin(commit("other", 1)) // parked in the machine

		h.Resign(0)
		synctest.Wait()
		h.code(joining.Response().(*kmsg.JoinGroupResponse).ErrorCode, kerr.NotCoordinator)
		h.code(committing.Response().(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode, kerr.NotCoordinator)
		h.code(ask[*kmsg.HeartbeatResponse](h, heartbeat("g", first.MemberID, 1)).ErrorCode, kerr.NotCoordinator)
	})
}

func TestAMemberWhoseClientIsGoneStaysUntilItsSessionEnds(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		h.leadAll(1)
		first := ask[*kmsg.JoinGroupResponse](h, join(3, "g", ""))
		joining := h.begin(join(3, "g", ""))
		joining.Cut()
		<-joining.Done()

		again := ask[*kmsg.JoinGroupResponse](h, join(3, "g", first.MemberID))
		if len(again.Members) != 2 {
			t.Errorf("the group has %d members, want 2", len(again.Members))
		}
		time.Sleep(8 * time.Second)
		h.code(ask[*kmsg.HeartbeatResponse](h, heartbeat("g", first.MemberID, 2)).ErrorCode, nil)
		time.Sleep(3 * time.Second)
		h.code(ask[*kmsg.HeartbeatResponse](h, heartbeat("g", first.MemberID, 2)).ErrorCode, kerr.RebalanceInProgress)
	})
}

func TestAShardThatIsLoadingSaysSo(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		h.leadAll(1)
		h.code(h.commits("g", 1), nil)
		h.logs[0].failReads(kerr.KafkaStorageError)
		h.Lead(0, 2, h.logs[0])
		synctest.Wait()
		h.code(h.commits("g", 2), kerr.CoordinatorLoadInProgress)
		h.code(ask[*kmsg.HeartbeatResponse](h, heartbeat("g", "m", 1)).ErrorCode, nil)
		h.code(ask[*kmsg.ListGroupsResponse](h, kmsg.NewPtrListGroupsRequest()).ErrorCode, kerr.CoordinatorLoadInProgress)
		g := ask[*kmsg.OffsetFetchResponse](h, fetch(false, "g")).Groups[0]
		h.code(g.ErrorCode, kerr.CoordinatorLoadInProgress)

		h.logs[0].failReads(nil)
		time.Sleep(time.Minute)
		if got := h.committedOffset("g"); got != 1 {
			t.Errorf("offset %d, want 1", got)
		}
	})
}

func TestALoadWaitsUntilTheEndOfTheLogIsCommitted(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		h.leadAll(1)
		h.logs[0].hold()
		h.begin(commit("g", 5))
		h.Lead(0, 2, h.logs[0])
		synctest.Wait()
		h.code(h.commits("g", 6), kerr.CoordinatorLoadInProgress)
		h.logs[0].commit()
		if synctest.Wait(); h.committedOffset("g") != 5 {
			t.Errorf("the offset that was committed late is not there")
		}
	})
}

func TestGroupsThatAreNotHere(t *testing.T) {
	inHouse(t, 2, func(h *house) {
		h.Lead(0, 1, h.logs[0])
		synctest.Wait()
		here, elsewhere := "a", "b"
		if PartitionFor(here, 2) != 0 {
			here, elsewhere = elsewhere, here
		}
		h.code(h.commits(here, 1), nil)
		h.code(h.commits(elsewhere, 1), kerr.NotCoordinator)
		groups := ask[*kmsg.OffsetFetchResponse](h, fetch(true, here, elsewhere)).Groups
		h.code(groups[0].ErrorCode, nil)
		h.code(groups[1].ErrorCode, kerr.NotCoordinator)

		describe := kmsg.NewPtrDescribeGroupsRequest()
		describe.Groups = []string{here, elsewhere}
		described := ask[*kmsg.DescribeGroupsResponse](h, describe).Groups
		if described[0].State != "Empty" {
			t.Errorf("state %q, want Empty", described[0].State)
		}
		h.code(described[1].ErrorCode, kerr.NotCoordinator)
		if listed := ask[*kmsg.ListGroupsResponse](h, kmsg.NewPtrListGroupsRequest()).Groups; len(listed) != 1 {
			t.Errorf("%d groups are listed, want 1", len(listed))
		}

		remove := kmsg.NewPtrDeleteGroupsRequest()
		remove.Groups = []string{here, elsewhere, here, "c\U0001F600"}
		for _, g := range ask[*kmsg.DeleteGroupsResponse](h, remove).Groups {
			switch {
			case g.Group == here:
				h.code(g.ErrorCode, nil)
			case PartitionFor(g.Group, 2) == 0:
				h.code(g.ErrorCode, kerr.GroupIDNotFound)
			default:
				h.code(g.ErrorCode, kerr.NotCoordinator)
			}
		}
		h.partitions = 0
		h.code(h.commits(here, 1), kerr.NotCoordinator)
	})
}

func TestManyOffsetsAreDeletedPartByPart(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		h.leadAll(1)
		const many = 5_000
		for first := int32(0); first < many; first += 500 {
			r := commit("g", 1)
			r.Topics[0].Partitions = nil
			for p := first; p < first+500; p++ {
				r.Topics[0].Partitions = append(r.Topics[0].Partitions, kmsg.OffsetCommitRequestTopicPartition{Partition: p})
			}
			ask[*kmsg.OffsetCommitResponse](h, r)
		}
		count := func() (n int) {
			for s := range h.Committed() {
				for range s.Offsets() {
					n++
				}
			}
			return n
		}
		if count() != many {
			t.Fatalf("%d offsets, want %d", count(), many)
		}
		h.code(h.commits("other", 1), nil)
		h.TopicsDeleted([]group.Topic{{Name: "another"}})
		synctest.Wait()
		remove := kmsg.NewPtrDeleteGroupsRequest()
		remove.Groups = []string{"g"}
		h.code(ask[*kmsg.DeleteGroupsResponse](h, remove).Groups[0].ErrorCode, nil)
		if count() != 1 {
			t.Errorf("%d offsets are left, want 1", count())
		}
		h.TopicsDeleted([]group.Topic{{Name: "t"}})
		if synctest.Wait(); count() != 0 {
			t.Errorf("%d offsets of a deleted topic are left", count())
		}
	})
}

func TestTheTopicIsCreatedOnce(t *testing.T) {
	inHouse(t, 0, func(h *house) {
		for range 3 {
			if err := h.EnsureTopic(context.Background()); err != nil || h.partitions != 1 {
				t.Errorf("%d partitions, %v", h.partitions, err)
			}
		}
		h.partitions = 0
		h.creating <- struct{}{} // somebody else creates it, and takes long
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := h.EnsureTopic(ctx); err == nil {
			t.Error("no error after the time was up")
		}
		<-h.creating
	})
}

func TestTransactionalOffsetsCountWhenTheirMarkerSaysSo(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		log := h.logs[0]
		write := func(producer int64, topic string, offset int64) {
			key, value := group.Encode(group.OffsetRecord{Group: "g", Topic: topic, Offset: &group.Offset{Offset: offset, ExpiresAt: -1}})
			b := batch.NewBuilder(batch.BuilderOptions{
				Producer: &batch.Producer{ID: producer}, Transactional: true, Codec: batch.CodecGzip,
			})
			b.Append(batch.Record{Key: key, Value: value})
			log.write(b.Build())
		}
		write(1, "committed", 10)
		write(2, "aborted", 20)
		write(3, "open", 30)
		log.write(batch.BuildEndTxnMarker(1, 0, batch.EndTxnMarker{Commit: true}, 0))
		log.write(batch.BuildEndTxnMarker(2, 0, batch.EndTxnMarker{}, 0))
		h.leadAll(1)

		r := fetch(true, "g")
		r.Groups[0].Topics = []kmsg.OffsetFetchRequestGroupTopic{
			{Topic: "committed", Partitions: []int32{0}}, {Topic: "aborted", Partitions: []int32{0}},
			{Topic: "open", Partitions: []int32{0}},
		}
		topics := ask[*kmsg.OffsetFetchResponse](h, r).Groups[0].Topics
		if got := topics[0].Partitions[0].Offset; got != 10 {
			t.Errorf("committed: %d, want 10", got)
		}
		if got := topics[1].Partitions[0]; got.Offset != -1 || got.ErrorCode != 0 {
			t.Errorf("aborted: %+v", got)
		}
		h.code(topics[2].Partitions[0].ErrorCode, kerr.UnstableOffsetCommit)
	})
}

func TestRecordsOfUnknownKindsAreSkippedAndBrokenOnesAreNot(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		put := func(key, value []byte) {
			b := batch.NewBuilder(batch.BuilderOptions{})
			b.Append(batch.Record{Key: key, Value: value})
			h.logs[0].write(b.Build())
		}
		put([]byte{0, 99, 0, 1, 'g'}, []byte{0, 0})
		put([]byte{0, 5, 0, 1, 'g'}, []byte{0, 0})
		h.leadAll(1)
		h.code(h.commits("g", 1), nil)

		put([]byte{0, 1, 0, 1}, []byte{0, 0})
		h.Lead(0, 2, h.logs[0])
		synctest.Wait()
		h.code(h.commits("g", 1), kerr.CoordinatorLoadInProgress)
	})
}

func TestAStoppedCoordinatorAnswers(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		h.leadAll(1)
		h.Close()
		h.code(h.commits("g", 1), kerr.CoordinatorNotAvailable)
		h.Lead(0, 2, h.logs[0])
		if h.Do(context.Background(), commit("g", 1), Caller{}) == nil {
			t.Error("no answer")
		}
	})
}

// Reads look at a version that is not changed while the next ones are made of it: for the race detector.
func TestReadsGoOnBesideWrites(t *testing.T) {
	inHouse(t, 1, func(h *house) {
		h.leadAll(1)
		const rounds = 200
		done := make(chan struct{})
		for reader := range 2 {
			go func() {
				defer func() { done <- struct{}{} }()
				for range rounds {
					h.Do(context.Background(), fetch(reader == 0, "g"), Caller{})
					h.Do(context.Background(), kmsg.NewPtrListGroupsRequest(), Caller{})
				}
			}()
		}
		for i := range int64(rounds) {
			h.Do(context.Background(), commit("g", i), Caller{})
			h.Do(context.Background(), join(4, fmt.Sprint("g", i), ""), Caller{})
		}
		<-done
		<-done
	})
}
