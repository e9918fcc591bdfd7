package api

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// endings are how a partition stops being served here, and what those who wait for it are told.
var endings = []struct {
	how  string
	end  func(*stock)
	want *kerr.Error
}{
	{"deleted", func(s *stock) { s.remove(1) }, kerr.UnknownTopicOrPartition},
	{"another leader", func(s *stock) { s.elect(1, 2) }, kerr.NotLeaderForPartition},
	{"stopping", func(s *stock) { s.broker.Replicas.Close() }, kerr.NotLeaderForPartition},
}

func TestAFetchThatWaitsIsAnsweredAtOnceWhenItsPartitionIsServedHereNoMore(t *testing.T) {
	for _, version := range []int16{0, 6, 12, 13, 16, 18} {
		for _, ending := range endings {
			f := newStock(t, 1<<40, 1<<20).fetcher(version)
			f.topic(1, 1)
			f.maxWaitMs = 600_000
			parked := f.start(f.request([]wanted{{1, 0, 0}}, nil), version)
			if parked.Pending == nil {
				t.Fatal("answered with nothing to read")
			}
			ending.end(f.stock)
			<-parked.Pending.Done
			got := f.encoded(parked.Pending.Finish(), version).Topics[0].Partitions[0].ErrorCode
			want := ending.want.Code
			if ending.how == "another leader" && version >= 11 {
				want = 0 // such consumers may read from a follower, which this is now
			}
			if got != want {
				t.Errorf("version %d, %s: %v", version, ending.how, kerr.ErrorForCode(got))
			}
		}
	}
}

// pair makes a topic that this broker leads, with broker 2 in sync, which never fetches.
func (s *stock) pair(name string, id byte) {
	before := s.now()
	s.replay(&meta.TopicRecord{Name: name, TopicID: topicID(id)}, &meta.PartitionRecord{
		TopicID: topicID(id), Replicas: []int32{1, 2}, ISR: []int32{1, 2}, Leader: 1, Directories: []meta.ID{{}, {}},
	})
	s.broker.Replicas.Apply(s.now(), meta.Diff(before, s.now()))
}

// inSync changes the in-sync set of a topic's first partition.
func (s *stock) inSync(id byte, brokers ...int32) {
	before := s.now()
	change := meta.NewPartitionChange(topicID(id), 0)
	change.ISR = brokers
	s.replay(change)
	s.broker.Replicas.Apply(s.now(), meta.Diff(before, s.now()))
}

// produceAll starts a produce with acks=all, which has to wait.
func (s *stock) produceAll(topic string) *Pending {
	s.t.Helper()
	parked := s.start(produceTo(topic, 0, -1, parcel(10)), 9)
	if parked.Pending == nil {
		s.t.Fatalf("answered before broker 2 has it: %+v", parked.Response)
	}
	return parked.Pending
}

func produced(parked *Pending) kmsg.ProduceResponseTopicPartition {
	<-parked.Done
	return parked.Finish().Response.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
}

func TestAProduceThatWaitsIsAnsweredAtOnceWhenItsPartitionIsServedHereNoMore(t *testing.T) {
	for _, ending := range endings {
		s := newStock(t, 1<<40, 1<<20)
		s.pair("orders", 1)
		parked := s.produceAll("orders")
		ending.end(s)
		if p := produced(parked); p.ErrorCode != ending.want.Code || p.BaseOffset != -1 {
			t.Errorf("%s: %+v", ending.how, p)
		}
	}
}

func TestAProduceWithAcksAllIsAnsweredWhenItsRecordsAreCommitted(t *testing.T) {
	s := newStock(t, 1<<40, 1<<20)
	s.pair("orders", 1)
	s.put("orders", 0, 10)
	parked := s.produceAll("orders")
	s.inSync(1, 1)
	if p := produced(parked); p.ErrorCode != 0 || p.BaseOffset != 1 {
		t.Errorf("%+v", p)
	}
}

func TestAProduceWhoseRecordsAreNotCommittedInTimeIsToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStock(t, 1<<40, 1<<20)
		s.pair("orders", 1)
		began := time.Now()
		p := produced(s.produceAll("orders"))
		if waited := time.Since(began); p.ErrorCode != kerr.RequestTimedOut.Code || waited != 10*time.Second {
			t.Errorf("%+v after %s", p, waited)
		}
	})
}

func TestAProduceWithAcksAllIsRefusedWhenTooFewReplicasAreInSync(t *testing.T) {
	s := newStock(t, 1<<40, 1<<20)
	s.settings.MinInSync = 2
	s.pair("orders", 1)
	s.inSync(1, 1)
	response := s.ask(produceTo("orders", 0, -1, parcel(10)), 9).(*kmsg.ProduceResponse)
	if p := response.Topics[0].Partitions[0]; p.ErrorCode != kerr.NotEnoughReplicas.Code || p.BaseOffset != -1 {
		t.Errorf("%+v", p)
	}
	if p := s.put("orders", 0, 10); p.ErrorCode != 0 || p.BaseOffset != 0 {
		t.Errorf("with acks=1: %+v", p)
	}
}
