package api

import (
	"container/list"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The session epochs with a meaning of their own (KIP-227).
const (
	sessionFinal   = -1 // close the session named, if any, and open none
	sessionInitial = 0  // a full fetch: close the session named, if any, and open a new one
)

// fetchKey names a partition in a session: by topic id from version 13 on, by name before.
type fetchKey struct {
	id        [16]byte
	topic     string
	partition int32
}

// fetchState is what a fetch asks of one partition, and what a session remembers of the last answer.
type fetchState struct {
	key         fetchKey
	name        string // empty: the id is not known (yet)
	offset      int64
	leaderEpoch int32
	lastEpoch   int32
	maxBytes    int32

	sent           bool // something was answered before
	highWatermark  int64
	logStartOffset int64
}

// fetchSession is the set of partitions that a client fetches again and again, so that it need not name them each time
// and idle ones cost nothing on the wire. The sessions' lock guards it.
type fetchSession struct {
	id       int32
	epoch    int32
	usesIDs  bool
	follower bool
	created  time.Time
	used     time.Time
	order    *list.List // of *fetchState; those answered with records go to the back, for fairness
	byKey    map[fetchKey]*list.Element
	place    *list.Element // in FetchSessions.recent
}

// fetchContext is one fetch: what to read, and how to tell the session of what was answered.
type fetchContext struct {
	sessions    *FetchSessions
	session     *fetchSession // nil: no session
	id          int32         // for the answer
	incremental bool
	states      []*fetchState // copies the handler may use without a lock
}

// begin opens, continues or closes a session as the request says.
func (s *FetchSessions) begin(req *kmsg.FetchRequest, states, forgotten []*fetchState, now time.Time) (*fetchContext, error) {
	if req.Version < 7 {
		return &fetchContext{states: states}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.SessionEpoch == sessionFinal || req.SessionEpoch == sessionInitial {
		if old := s.byID[req.SessionID]; old != nil && req.SessionID != 0 {
			s.remove(old)
		}
		c := &fetchContext{states: states}
		if req.SessionEpoch == sessionInitial && len(states) > 0 {
			c.sessions, c.session = s, s.open(req, states, now)
			if c.session != nil {
				c.id = c.session.id
			}
		}
		return c, nil
	}
	session := s.byID[req.SessionID]
	switch {
	case session == nil:
		return nil, kerr.FetchSessionIDNotFound
	case session.epoch != req.SessionEpoch:
		return nil, kerr.InvalidFetchSessionEpoch
	case session.usesIDs != (req.Version >= 13):
		return nil, kerr.FetchSessionTopicIDError
	}
	session.update(states, forgotten)
	if session.order.Len() == 0 {
		s.remove(session)
		return &fetchContext{states: states}, nil
	}
	session.used = now
	s.recent.MoveToBack(session.place)
	session.epoch = nextSessionEpoch(session.epoch)
	return &fetchContext{sessions: s, session: session, id: session.id, incremental: true, states: session.copies()}, nil
}

func nextSessionEpoch(epoch int32) int32 {
	if epoch == 1<<31-1 {
		return 1
	}
	return epoch + 1
}

func (f *fetchSession) update(states, forgotten []*fetchState) {
	for _, state := range states {
		if at, ok := f.byKey[state.key]; ok {
			old := at.Value.(*fetchState)
			old.name, old.offset, old.leaderEpoch, old.lastEpoch, old.maxBytes = state.name, state.offset, state.leaderEpoch, state.lastEpoch, state.maxBytes
			continue
		}
		kept := *state
		f.byKey[state.key] = f.order.PushBack(&kept)
	}
	for _, state := range forgotten {
		if at, ok := f.byKey[state.key]; ok {
			f.order.Remove(at)
			delete(f.byKey, state.key)
		}
	}
}

func (f *fetchSession) copies() []*fetchState {
	all := make([]fetchState, 0, f.order.Len())
	out := make([]*fetchState, 0, f.order.Len())
	for at := f.order.Front(); at != nil; at = at.Next() {
		all = append(all, *at.Value.(*fetchState))
		out = append(out, &all[len(all)-1])
	}
	return out
}

// answered tells the session what a partition's answer says, and returns whether it must be sent: in an incremental
// fetch only what changed is.
func (c *fetchContext) answered(part *fetchPart) bool {
	if c.session == nil {
		return true
	}
	c.sessions.mu.Lock()
	defer c.sessions.mu.Unlock()
	at, ok := c.session.byKey[part.state.key]
	if !ok {
		return true // forgotten by a later request of the same client, or evicted
	}
	state := at.Value.(*fetchState)
	changed := !state.sent || part.err != nil || part.size > 0 || part.read.Diverging != nil ||
		state.highWatermark != part.read.HighWatermark || state.logStartOffset != part.read.LogStartOffset
	state.sent = part.err == nil // an error is told again each time
	state.highWatermark, state.logStartOffset = part.read.HighWatermark, part.read.LogStartOffset
	if part.size > 0 {
		c.session.order.MoveToBack(at)
	}
	return changed || !c.incremental
}
