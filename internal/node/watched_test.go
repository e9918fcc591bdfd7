package node

import (
	"context"
	"testing"
	"testing/synctest"
)

// ends collects the epochs of brokers whose connection is no more.
type ends []int64

func (e *ends) add(epoch int64) { *e = append(*e, epoch) }

func (e *ends) are(t *testing.T, want ...int64) {
	t.Helper()
	synctest.Wait()
	if len(*e) != len(want) || len(want) == 1 && (*e)[0] != want[0] {
		t.Fatalf("ended: %v, want %v", *e, want)
	}
}

func TestABrokerThatRegisteredAnewOnItsConnectionIsLookedForByItsNewEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watched
		var ended ends
		connection, breaks := context.WithCancel(t.Context())
		w.saw(connection, 1, 10, ended.add)
		w.saw(connection, 1, 20, ended.add)
		ended.are(t)
		breaks()
		ended.are(t, 20)
	})
}

func TestABrokerWithAnotherConnectionIsNotLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watched
		var ended ends
		first, firstBreaks := context.WithCancel(t.Context())
		second, secondBreaks := context.WithCancel(t.Context())
		w.saw(first, 1, 10, ended.add)
		w.saw(second, 1, 10, ended.add)
		firstBreaks()
		ended.are(t)
		secondBreaks()
		ended.are(t, 10)
	})
}

func TestALateHeartbeatOfAnEarlierProcessDoesNotHideTheEndOfTheLastOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w watched
		var ended ends
		earlier, earlierBreaks := context.WithCancel(t.Context())
		last, lastBreaks := context.WithCancel(t.Context())
		w.saw(earlier, 1, 10, ended.add)
		w.saw(last, 1, 20, ended.add)
		w.saw(earlier, 1, 10, ended.add)
		earlierBreaks()
		ended.are(t)
		lastBreaks()
		ended.are(t, 20)
	})
}
