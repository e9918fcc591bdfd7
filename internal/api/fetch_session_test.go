package api

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

func quietStock(t *testing.T) func() *stock {
	return func() *stock { return newStock(t, 1<<40, 1<<20) }
}

func TestAnIncrementalFetchTellsOnlyNews(t *testing.T) {
	everyVersion(quietStock(t), func(f *fetcher) {
		f.topic(1, 3)
		f.put("topic1", 0, 10)
		f.told("full", f.full(wanted{1, 0, 0}, wanted{1, 1, 0}, wanted{1, 2, 0}), "topic1-0 records, 0 to 1, topic1-1 0 to 0, topic1-2 0 to 0")
		if f.id == 0 {
			t.Fatal("a full fetch opens no session")
		}
		f.told("read on", f.next(wanted{1, 0, 1}), "")
		f.told("nothing new", f.next(), "")
		f.put("topic1", 2, 10)
		f.told("new records", f.next(), "topic1-2 records, 0 to 1")
		f.told("records not taken are told again", f.next(), "topic1-2 records, 0 to 1")
		f.told("read on", f.next(wanted{1, 2, 1}), "")
		f.put("topic1", 1, 10)
		f.told("a high watermark without records", f.next(wanted{1, 1, 1}), "topic1-1 0 to 1")
		f.told("told once", f.next(), "")
	})
}

func TestAMovedLogStartOffsetIsNewsOnce(t *testing.T) {
	everyVersion(quietStock(t), func(f *fetcher) {
		f.topic(1, 1)
		f.put("topic1", 0, 10)
		f.put("topic1", 0, 10)
		f.told("full", f.full(wanted{1, 0, 2}), "topic1-0 0 to 2")
		part, err := f.broker.Replicas.Get("topic1", 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := part.DeleteRecordsBefore(1); err != nil {
			t.Fatal(err)
		}
		f.told("records deleted", f.next(), "topic1-0 1 to 2")
		f.told("told once", f.next(), "")
	})
}

func TestAnErrorIsToldEachTimeAndTheRecoveryFromItOnce(t *testing.T) {
	everyVersion(quietStock(t), func(f *fetcher) {
		f.topic(1, 2)
		f.told("full", f.full(wanted{1, 0, 0}, wanted{1, 1, 9}), "topic1-0 0 to 0, topic1-1 OFFSET_OUT_OF_RANGE")
		f.told("again", f.next(), "topic1-1 OFFSET_OUT_OF_RANGE")
		f.told("again", f.next(), "topic1-1 OFFSET_OUT_OF_RANGE")
		f.told("mended", f.next(wanted{1, 1, 0}), "topic1-1 0 to 0")
		f.told("told once", f.next(), "")
	})
}

func TestAPartitionAddedIsToldAndOneForgottenIsNot(t *testing.T) {
	everyVersion(quietStock(t), func(f *fetcher) {
		f.topic(1, 2)
		f.topic(2, 1)
		f.told("full", f.full(wanted{1, 0, 0}), "topic1-0 0 to 0")
		f.told("added", f.next(wanted{1, 1, 0}, wanted{2, 0, 0}), "topic1-1 0 to 0, topic2-0 0 to 0")
		f.put("topic1", 0, 10)
		f.put("topic2", 0, 10)
		f.told("forgotten", f.forget(wanted{2, 0, 0}), "topic1-0 records, 0 to 1")
		f.told("never known", f.forget(wanted{2, 5, 0}), "topic1-0 records, 0 to 1")
		f.told("added anew", f.next(wanted{1, 0, 1}, wanted{2, 0, 1}), "topic2-0 0 to 1")
		if sessions, partitions := f.broker.FetchSessions.Count(); sessions != 1 || partitions != 3 {
			t.Errorf("%d sessions, %d partitions", sessions, partitions)
		}
	})
}

func TestASessionWhoseLastPartitionIsForgottenEnds(t *testing.T) {
	everyVersion(quietStock(t), func(f *fetcher) {
		f.topic(1, 1)
		f.full(wanted{1, 0, 0})
		f.told("forgotten", f.forget(wanted{1, 0, 0}), "")
		if sessions, _ := f.broker.FetchSessions.Count(); f.id != 0 || sessions != 0 {
			t.Errorf("answered with session %d, of %d", f.id, sessions)
		}
	})
}

func TestAFullFetchOfNothingOpensASessionToo(t *testing.T) {
	everyVersion(quietStock(t), func(f *fetcher) {
		f.topic(1, 1)
		f.told("nothing", f.full(), "")
		if f.id == 0 {
			t.Fatal("no session, while Kafka opens one")
		}
		f.told("added", f.next(wanted{1, 0, 0}), "topic1-0 0 to 0")
	})
}

func TestASessionTakesItsEpochsInOrder(t *testing.T) {
	everyVersion(quietStock(t), func(f *fetcher) {
		f.topic(1, 1)
		f.full(wanted{1, 0, 0})
		id := f.id
		for _, wrong := range []int32{2, -2, math.MaxInt32} {
			f.epoch = wrong
			f.told("a wrong epoch", f.next(), "INVALID_FETCH_SESSION_EPOCH of session 0")
		}
		f.epoch = 1
		f.told("the right one", f.next(), "")
		f.epoch = 1
		f.told("the same again", f.next(), "INVALID_FETCH_SESSION_EPOCH of session 0")
		f.id, f.epoch = id+1, 2
		f.told("an unknown session", f.next(), "FETCH_SESSION_ID_NOT_FOUND of session 0")
		f.id = 0
		f.told("no session", f.next(), "FETCH_SESSION_ID_NOT_FOUND of session 0")
		f.id = id
		f.told("the right one", f.next(), "")
	})
}

func TestASessionsEpochWrapsAroundToOne(t *testing.T) {
	f := quietStock(t)().fetcher(12)
	f.topic(1, 1)
	f.full(wanted{1, 0, 0})
	f.epoch = math.MaxInt32
	f.broker.FetchSessions.byID[f.id].epoch = math.MaxInt32
	f.told("the last epoch", f.next(), "")
	f.epoch = 1 // 0 would begin a new session.
	f.told("the one behind it", f.next(), "")
}

func TestTheFinalEpochEndsASessionAndIsAnsweredInFull(t *testing.T) {
	everyVersion(quietStock(t), func(f *fetcher) {
		f.topic(1, 1)
		f.full(wanted{1, 0, 0})
		id := f.id
		f.epoch = sessionFinal
		f.told("the last fetch", f.next(wanted{1, 0, 0}), "topic1-0 0 to 0")
		if f.id != 0 {
			t.Errorf("version %d: session %d is still told", f.version, f.id)
		}
		f.id, f.epoch = id, 1
		f.told("after the end", f.next(), "FETCH_SESSION_ID_NOT_FOUND of session 0")
	})
}

func TestAFullFetchReplacesTheSessionItNames(t *testing.T) {
	everyVersion(quietStock(t), func(f *fetcher) {
		f.topic(1, 1)
		f.full(wanted{1, 0, 0})
		id := f.id
		f.told("full again", f.full(wanted{1, 0, 0}), "topic1-0 0 to 0")
		if sessions, _ := f.broker.FetchSessions.Count(); f.id == id || sessions != 1 {
			t.Errorf("version %d: session %d after %d, of %d", f.version, f.id, id, sessions)
		}
	})
}

func TestASessionOfNamesIsNotContinuedWithIds(t *testing.T) {
	f := quietStock(t)().fetcher(12)
	f.topic(1, 1)
	f.full(wanted{1, 0, 0})
	f.version = 13
	f.told("with ids", f.next(), "FETCH_SESSION_TOPIC_ID_ERROR of session 0")
	f.version = 12
	f.told("with names", f.next(), "")
}

func TestPartitionsThatGaveRecordsComeLastInTheNextFetch(t *testing.T) {
	everyVersion(quietStock(t), func(f *fetcher) {
		f.topic(1, 3)
		for p := range int32(3) {
			f.put("topic1", p, 1000)
		}
		f.told("full", f.full(wanted{1, 0, 0}, wanted{1, 1, 0}, wanted{1, 2, 0}),
			"topic1-0 records, 0 to 1, topic1-1 records, 0 to 1, topic1-2 records, 0 to 1")
		f.maxBytes = 500 // One batch is given although it is larger; nobody reads on.
		f.told("first", f.next(), "topic1-0 records, 0 to 1")
		f.told("second", f.next(), "topic1-1 records, 0 to 1")
		f.told("third", f.next(), "topic1-2 records, 0 to 1")
		f.told("first again", f.next(), "topic1-0 records, 0 to 1")
	})
}

func TestAPartitionNamedTwiceIsAnsweredOnceAsAskedLast(t *testing.T) {
	everyVersion(quietStock(t), func(f *fetcher) {
		f.topic(1, 2)
		twice := []wanted{{1, 0, 7}, {1, 1, 0}, {1, 0, 0}}
		f.told("full", f.full(twice...), "topic1-0 0 to 0, topic1-1 0 to 0")
		f.epoch = sessionFinal
		f.told("without a session", f.next(twice...), "topic1-0 0 to 0, topic1-1 0 to 0")
	})
}

func TestATopicMadeAnewIsAnotherThanTheSessions(t *testing.T) {
	everyVersion(quietStock(t), func(f *fetcher) {
		if f.version < 13 {
			return
		}
		f.topic(1, 1)
		f.full(wanted{1, 0, 0})
		f.remove(1)
		f.told("deleted", f.next(), "topic1-0 UNKNOWN_TOPIC_OR_PARTITION")
		f.stored("topic1", 2, 1)
		f.told("made anew", f.next(), "topic1-0 INCONSISTENT_TOPIC_ID")
		f.told("and asked for again", f.next(wanted{1, 0, 0}), "topic1-0 INCONSISTENT_TOPIC_ID")
		f.told("forgotten by its id", f.send([]wanted{{2, 0, 0}}, []wanted{{1, 0, 0}}), "topic2-0 0 to 0")
		f.told("in a new session", f.full(wanted{1, 0, 0}, wanted{2, 0, 0}), "topic2-0 0 to 0, topic1-0 UNKNOWN_TOPIC_ID")
	})
}

func TestAnIdThatBecomesKnownIsReadInTheSameSession(t *testing.T) {
	everyVersion(quietStock(t), func(f *fetcher) {
		if f.version < 13 {
			return
		}
		f.told("unknown", f.full(wanted{1, 0, 0}), "topic1-0 UNKNOWN_TOPIC_ID")
		f.told("still", f.next(), "topic1-0 UNKNOWN_TOPIC_ID")
		f.topic(1, 1)
		f.told("known", f.next(), "topic1-0 0 to 0")
		f.remove(1)
		f.stored("topic1", 2, 1)
		f.told("made anew", f.next(), "topic1-0 INCONSISTENT_TOPIC_ID")
	})
}

func TestATopicMadeAnewUnderASessionOfNamesIsReadOn(t *testing.T) {
	f := quietStock(t)().fetcher(12)
	f.topic(1, 1)
	f.full(wanted{1, 0, 0})
	f.remove(1)
	f.told("deleted", f.next(), "topic1-0 UNKNOWN_TOPIC_OR_PARTITION")
	f.stored("topic1", 2, 1)
	f.told("made anew", f.next(), "topic1-0 0 to 0")
}

// A consumer that goes on asking for a deleted topic beside others would otherwise ask without pause.
func TestAFetchWaitsForWhatExistsAndTellsLastWhatDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := quietStock(t)().fetcher(12)
		f.topic(1, 1)
		f.maxWaitMs = 500
		f.epoch = sessionInitial
		began := time.Now()
		result := f.start(f.request([]wanted{{9, 0, 0}, {1, 0, 0}}, nil), 12)
		if result.Pending == nil {
			t.Fatal("answered at once")
		}
		<-result.Pending.Done
		f.told("both", f.receive(result.Pending.Finish()), "topic1-0 0 to 0, topic9-0 UNKNOWN_TOPIC_OR_PARTITION")
		if waited := time.Since(began); waited != 500*time.Millisecond {
			t.Errorf("waited for %s", waited)
		}
	})
}

func TestAFetchOnlyOfWhatDoesNotExistIsAnsweredAtOnce(t *testing.T) {
	everyVersion(quietStock(t), func(f *fetcher) {
		f.maxWaitMs = 60_000
		want := "topic9-0 UNKNOWN_TOPIC_OR_PARTITION"
		if f.version >= 13 {
			want = "topic9-0 UNKNOWN_TOPIC_ID"
		}
		f.told("missing", f.full(wanted{9, 0, 0}), want)
	})
}

// Both answers would hold news that the session takes for told, and the client drops one of them.
func TestAFetchOvertakenByAnotherOfItsSessionTellsNothing(t *testing.T) {
	f := quietStock(t)().fetcher(12)
	f.topic(1, 1)
	f.full(wanted{1, 0, 0})
	f.maxWaitMs = 60_000
	parked := f.start(f.request(nil, nil), 12)
	if parked.Pending == nil {
		t.Fatal("answered with nothing new")
	}
	f.put("topic1", 0, 10)
	f.epoch = 2
	f.told("the one that overtakes", f.next(), "topic1-0 records, 0 to 1")
	<-parked.Pending.Done
	overtaken := f.encoded(parked.Pending.Finish(), 12)
	if overtaken.ErrorCode != kerr.InvalidFetchSessionEpoch.Code || overtaken.SessionID != f.id || len(overtaken.Topics) != 0 {
		t.Errorf("%+v", overtaken)
	}
}

func TestASessionEvictedWhileItsFetchWaitsIsAnsweredOnceMore(t *testing.T) {
	f := quietStock(t)().fetcher(12)
	f.topic(1, 1)
	f.full(wanted{1, 0, 0})
	f.maxWaitMs = 60_000
	parked := f.start(f.request(nil, nil), 12)
	f.broker.FetchSessions.remove(f.broker.FetchSessions.byID[f.id])
	f.put("topic1", 0, 10)
	<-parked.Pending.Done
	f.told("evicted", f.receive(parked.Pending.Finish()), "topic1-0 records, 0 to 1")
	f.maxWaitMs = 0
	f.told("afterwards", f.next(), "FETCH_SESSION_ID_NOT_FOUND of session 0")
}

func TestBeforeVersionSevenThereAreNoSessions(t *testing.T) {
	s := quietStock(t)()
	s.stored("topic1", 1, 1)
	for version := int16(0); version < 7; version++ {
		f := s.fetcher(version)
		response := s.encoded(s.start(f.request([]wanted{{1, 0, 0}}, nil), version), version)
		if len(response.Topics) != 1 || response.SessionID != 0 {
			t.Errorf("version %d: %+v", version, response)
		}
	}
	if sessions, _ := s.broker.FetchSessions.Count(); sessions != 0 {
		t.Errorf("%d sessions", sessions)
	}
}
