package api

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// cache is a few session slots, and a clock that a test moves.
type cache struct {
	t        *testing.T
	sessions *FetchSessions
	now      time.Time
}

func newCache(t *testing.T, slots int) *cache {
	return &cache{t: t, sessions: NewFetchSessions(slots), now: time.Unix(1_700_000_000, 0)}
}

func (c *cache) wait(d time.Duration) { c.now = c.now.Add(d) }

// open asks for a session of so many partitions, and returns its id, 0 for none.
func (c *cache) open(version int16, replica int32, partitions int) int32 {
	c.t.Helper()
	request := kmsg.NewPtrFetchRequest()
	request.Version, request.SessionEpoch, request.ReplicaID = version, sessionInitial, -1
	if version >= 15 {
		request.ReplicaState.ID = replica
	} else {
		request.ReplicaID = replica
	}
	states := make([]*fetchState, partitions)
	for i := range states {
		states[i] = &fetchState{key: fetchKey{topic: "topic", partition: int32(i)}}
	}
	context, err := c.sessions.begin(request, states, nil, c.now)
	if err != nil {
		c.t.Fatal(err)
	}
	return context.id
}

func (c *cache) consumer(partitions int) int32 { return c.open(12, -1, partitions) }
func (c *cache) follower(partitions int) int32 { return c.open(12, 2, partitions) }

// use continues a session.
func (c *cache) use(id int32) {
	c.t.Helper()
	request := kmsg.NewPtrFetchRequest()
	request.Version, request.SessionID, request.SessionEpoch = 12, id, c.sessions.byID[id].epoch
	if _, err := c.sessions.begin(request, nil, nil, c.now); err != nil {
		c.t.Fatal(err)
	}
}

// holds checks which sessions there are.
func (c *cache) holds(ids ...int32) {
	c.t.Helper()
	for _, id := range ids {
		if c.sessions.byID[id] == nil {
			c.t.Errorf("session %d is gone, or was never opened", id)
		}
	}
	if n, _ := c.sessions.Count(); n != len(ids) {
		c.t.Errorf("%d sessions instead of %d", n, len(ids))
	}
}

func TestWithoutSlotsNobodyHasASession(t *testing.T) {
	c := newCache(t, 0)
	if id := c.consumer(5); id != 0 {
		t.Errorf("session %d", id)
	}
}

func TestAConsumerGoesWithoutASessionWhileAllAreInUse(t *testing.T) {
	c := newCache(t, 2)
	a, b := c.consumer(1), c.consumer(1)
	c.wait(sessionIdle)
	if id := c.consumer(1000); id != 0 {
		t.Error("evicted a session that is neither idle nor old")
	}
	c.holds(a, b)
}

func TestTheLeastRecentlyUsedSessionThatIsIdleGoesFirst(t *testing.T) {
	c := newCache(t, 3)
	a, _, follower := c.consumer(1), c.consumer(9), c.follower(9)
	c.use(a)
	c.wait(sessionIdle + time.Millisecond)
	c.use(follower)
	d := c.consumer(1)
	c.holds(a, follower, d) // The other consumer's was opened later, but a's was used since.
	c.wait(sessionIdle + time.Millisecond)
	e := c.consumer(1)
	c.holds(follower, d, e)
	f := c.consumer(1)
	c.holds(d, e, f) // An idle follower's goes, too.
}

func TestAnOldSessionGoesForALargerOneAndNotForOneOfItsSize(t *testing.T) {
	c := newCache(t, 3)
	small, large := c.consumer(2), c.consumer(5)
	c.wait(sessionIdle)
	young := c.consumer(1)
	c.use(small)
	c.use(large)
	c.wait(time.Millisecond)
	c.use(small)
	c.use(large)
	if id := c.consumer(2); id != 0 {
		t.Error("evicted one of its size")
	}
	c.holds(small, large, young)
	larger := c.consumer(3)
	c.holds(large, young, larger) // The smallest is young and stays.
}

func TestAFollowerDrivesOutTheSmallestConsumerHoweverYoung(t *testing.T) {
	for _, version := range []int16{12, 15, 18} {
		c := newCache(t, 3)
		large, _, follower := c.consumer(5), c.consumer(2), c.follower(1)
		another := c.open(version, 3, 1)
		c.holds(large, follower, another)
		third := c.open(version, 4, 1)
		c.holds(follower, another, third)
		if id := c.open(version, 5, 1000); id != 0 {
			t.Errorf("version %d: a follower drove out another that is young", version)
		}
	}
}

func TestAConsumerNeverDrivesOutAFollowerInUse(t *testing.T) {
	c := newCache(t, 1)
	follower := c.follower(1)
	for range 3 {
		c.wait(sessionIdle)
		c.use(follower)
	}
	if id := c.consumer(1000); id != 0 {
		t.Error("it did")
	}
	c.holds(follower)
	larger := c.follower(2)
	c.holds(larger)
}
