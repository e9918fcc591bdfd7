package replica

import (
	"testing"
	"time"
)

func TestAThrottleAveragesOverItsWindow(t *testing.T) {
	th, at := newThrottle(10, time.Second), time.Unix(1_700_000_000, 0)
	th.moved(1<<30, at)
	if th.exceeded(at) {
		t.Error("nobody has limited it")
	}
	th.SetLimit(1000)
	at = at.Add(time.Minute)
	if th.exceeded(at) {
		t.Error("what was moved a minute ago still counts")
	}
	th.moved(3000, at)
	if !th.exceeded(at) {
		t.Error("three seconds' worth in a moment is not too much")
	}
	if !th.exceeded(at.Add(2900*time.Millisecond)) || th.exceeded(at.Add(3*time.Second)) {
		t.Error("three seconds' worth are paid for by three seconds")
	}
	th.SetLimit(0)
	if !th.exceeded(at.Add(time.Hour)) {
		t.Error("a limit of nothing lets something through")
	}
}

func TestAFollowerThatIsNotInSyncIsHeldBackWhereItsPartitionIsThrottled(t *testing.T) {
	h := build(t, 1<<40)
	p := h.pair("orders", 1)
	h.post(p, "x")
	read := func() int {
		t.Helper()
		r, err := p.Read(0, ReadOptions{Level: LogEnd, LeaderEpoch: -1, LastEpoch: -1, MaxBytes: 1 << 20, AtLeastOne: true, FromFollower: true, Follower: 2, BrokerEpoch: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Records.Close()
		return r.Records.Len()
	}
	h.manager.SetThrottles(0, NoLimit)
	if read() == 0 {
		t.Error("a topic that is not throttled is")
	}
	settings := *p.Settings()
	settings.LeaderThrottled = Throttled{Partitions: map[int32]bool{0: true}}
	p.topic.settings.Store(&settings)
	if read() == 0 {
		t.Error("a follower in sync is throttled")
	}
	h.inSync(1, 1)
	if read() != 0 {
		t.Error("a follower that is not in sync is not throttled")
	}
	h.manager.SetThrottles(NoLimit, NoLimit)
	if read() == 0 {
		t.Error("a throttle that was lifted holds it back")
	}
}
