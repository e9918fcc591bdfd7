package api

import (
	"container/list"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// sessionIdle is how long a session must have been unused to make way for any new one, and how long it must have lived
// to make way for a more valuable one (Kafka's min.incremental.fetch.session.eviction.ms).
const sessionIdle = 2 * time.Minute

// FetchSessions holds a bounded number of sessions. When they are as many, a new one evicts the least recently used one
// if that is idle, else an older one that is worth less. Otherwise the client goes without, which is only slower.
// Followers' sessions are worth more than consumers', and large ones more than small ones.
type FetchSessions struct {
	slots int
	mu    sync.Mutex
	byID  map[int32]*fetchSession
	// recent orders the sessions by use, the least recent first.
	recent *list.List
}

// NewFetchSessions makes room for slots sessions (max.incremental.fetch.session.cache.slots).
func NewFetchSessions(slots int) *FetchSessions {
	return &FetchSessions{slots: slots, byID: make(map[int32]*fetchSession), recent: list.New()}
}

// Count returns how many sessions are open, and how many partitions they hold.
func (s *FetchSessions) Count() (sessions, partitions int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, session := range s.byID {
		partitions += session.order.Len()
	}
	return len(s.byID), partitions
}

// open makes a session, or returns nil when there is no room. The caller holds mu.
func (s *FetchSessions) open(req *kmsg.FetchRequest, states []*fetchState, now time.Time) *fetchSession {
	follower := fetchReplica(req) >= 0
	if len(s.byID) >= s.slots && !s.evictFor(sessionWorth{follower, len(states)}, now) {
		return nil
	}
	session := &fetchSession{
		epoch: 1, usesIDs: req.Version >= 13, follower: follower, created: now, used: now,
		order: list.New(), byKey: make(map[fetchKey]*list.Element, len(states)),
	}
	for session.id == 0 || s.byID[session.id] != nil {
		session.id = 1 + rand.Int32N(1<<31-2)
	}
	session.update(states, nil)
	s.byID[session.id] = session
	session.place = s.recent.PushBack(session)
	return session
}

// sessionWorth is what counts when one session must go for another: a follower's before its size.
type sessionWorth struct {
	follower   bool
	partitions int
}

func (f *fetchSession) worth() sessionWorth { return sessionWorth{f.follower, f.order.Len()} }

func (w sessionWorth) below(other sessionWorth) bool {
	if w.follower != other.follower {
		return other.follower
	}
	return w.partitions < other.partitions
}

// evictFor makes room for a new session, if one may go for it. The caller holds mu.
func (s *FetchSessions) evictFor(newcomer sessionWorth, now time.Time) bool {
	if s.recent.Len() == 0 {
		return false
	}
	leaving := s.recent.Front().Value.(*fetchSession)
	if now.Sub(leaving.used) <= sessionIdle {
		leaving = s.leastWorth(newcomer.follower)
		if leaving == nil || !leaving.worth().below(newcomer) {
			return false
		}
	}
	s.remove(leaving)
	return true
}

// leastWorth finds the session that goes first for one worth more. None that is new goes, so that clients which come at
// the same time do not drive each other out; but a follower does not wait for a consumer's to grow old.
func (s *FetchSessions) leastWorth(forFollower bool) *fetchSession {
	var least *fetchSession
	for at := s.recent.Front(); at != nil; at = at.Next() {
		session := at.Value.(*fetchSession)
		goes := session.used.Sub(session.created) > sessionIdle || forFollower && !session.follower
		if goes && (least == nil || session.worth().below(least.worth())) {
			least = session
		}
	}
	return least
}

func (s *FetchSessions) remove(session *fetchSession) {
	delete(s.byID, session.id)
	s.recent.Remove(session.place)
}
