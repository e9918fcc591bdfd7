package api

import (
	"container/list"
	"fmt"
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
	epoch       int32         // the session's while this fetch is its newest
	incremental bool
	states      []*fetchState // copies the handler may use without a lock
}

// begin opens, continues or closes a session as the request says.
func (s *FetchSessions) begin(req *kmsg.FetchRequest, states, forgotten []*fetchState, now time.Time) (*fetchContext, error) {
	if req.Version < 7 {
		return &fetchContext{states: once(states)}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.SessionEpoch == sessionFinal || req.SessionEpoch == sessionInitial {
		if old := s.byID[req.SessionID]; old != nil && req.SessionID != 0 {
			s.remove(old)
		}
		c := &fetchContext{states: once(states)}
		if req.SessionEpoch == sessionInitial {
			c.sessions, c.session = s, s.open(req, c.states, now)
			if c.session != nil {
				c.id, c.epoch = c.session.id, c.session.epoch
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
		return &fetchContext{states: once(states)}, nil
	}
	session.used = now
	s.recent.MoveToBack(session.place)
	session.epoch = nextSessionEpoch(session.epoch)
	return &fetchContext{
		sessions: s, session: session, id: session.id, epoch: session.epoch, incremental: true, states: session.copies(),
	}, nil
}

// once leaves one state of each partition: a later mention replaces what an earlier one asks, and not its place.
func once(states []*fetchState) []*fetchState {
	if len(states) < 2 {
		return states
	}
	at := make(map[fetchKey]int, len(states))
	kept := states[:0]
	for _, state := range states {
		if i, again := at[state.key]; again {
			kept[i] = state
			continue
		}
		at[state.key] = len(kept)
		kept = append(kept, state)
	}
	return kept
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
			old.offset, old.leaderEpoch, old.lastEpoch, old.maxBytes = state.offset, state.leaderEpoch, state.lastEpoch, state.maxBytes
			old.learn(state.name)
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

// learn keeps the first name that the id is known to have: once its topic is deleted, the id has none any more, and the
// name tells whether another topic bears it now.
func (s *fetchState) learn(name string) {
	if s.name == "" {
		s.name = name
	}
}

// answer tells the session what the parts say and picks those to send: in an incremental fetch only those with news.
// When another request has continued the session meanwhile, INVALID_FETCH_SESSION_EPOCH: two answers would each hold
// news that the session believes told, and the client may drop either.
func (c *fetchContext) answer(parts []fetchPart) ([]*fetchPart, error) {
	send, missing := make([]*fetchPart, 0, len(parts)), []*fetchPart(nil)
	if c.session != nil {
		c.sessions.mu.Lock()
		defer c.sessions.mu.Unlock()
		if c.incremental && c.session.epoch != c.epoch {
			return nil, fmt.Errorf("fetch session %d has moved on to epoch %d: %w", c.id, c.session.epoch, kerr.InvalidFetchSessionEpoch)
		}
	}
	for i := range parts {
		part := &parts[i]
		switch {
		case c.session != nil && !c.session.answered(part) && c.incremental:
		case part.missing():
			missing = append(missing, part)
		default:
			send = append(send, part)
		}
	}
	return append(send, missing...), nil // in Kafka's order
}

// answered notes a partition's answer, and returns whether it is news. The caller holds the sessions' lock.
func (f *fetchSession) answered(part *fetchPart) bool {
	at, ok := f.byKey[part.state.key]
	if !ok {
		return true // forgotten by a client that guessed the id of a full fetch under way
	}
	state := at.Value.(*fetchState)
	state.learn(part.state.name)
	news := !state.sent || part.err != nil || part.size > 0 || part.read.Diverging != nil || part.preferred >= 0 ||
		state.highWatermark != part.read.HighWatermark || state.logStartOffset != part.read.LogStartOffset
	state.sent = part.err == nil // an error is told again each time
	state.highWatermark, state.logStartOffset = part.read.HighWatermark, part.read.LogStartOffset
	if part.size > 0 {
		f.order.MoveToBack(at)
	}
	return news
}
