package controller

import (
	"slices"
	"time"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// Soft is what the active controller knows and no record says: the brokers'
// sessions. It is immutable, as State is; its zero value knows nothing.
type Soft struct {
	sessions []session // by rising broker id
	// began is the time of the first decision: sessions that were never heard of
	// are counted from then.
	began time.Time
	// due is the time that the last Tick named, zero if none: one that comes long
	// after it tells that this process did not run.
	due time.Time
}

// session is what was heard of one incarnation of a broker.
type session struct {
	broker         int32
	epoch          int64
	heard          time.Time
	metadataOffset int64 // how far it had read the metadata log
	// knownOffset is how far it has to have read before it is unfenced: what had
	// been decided as the session began, such as who leads instead of it.
	knownOffset int64
	// shutdownOffset is how far the others must have read before it may go; -1
	// while it is not shutting down.
	shutdownOffset int64
}

func (s *Soft) find(broker int32, epoch int64) (session, bool) {
	i, ok := slices.BinarySearchFunc(s.sessions, broker, func(x session, id int32) int { return int(x.broker) - int(id) })
	if !ok || s.sessions[i].epoch != epoch {
		return session{broker: broker, epoch: epoch, heard: s.began, metadataOffset: -1, shutdownOffset: -1}, false
	}
	return s.sessions[i], true
}

// with is s with the session in place of the broker's last one.
func (s *Soft) with(x session) *Soft {
	next := &Soft{began: s.began, due: s.due, sessions: make([]session, 0, len(s.sessions)+1)}
	i, replaced := slices.BinarySearchFunc(s.sessions, x.broker, func(y session, id int32) int { return int(y.broker) - int(id) })
	next.sessions = append(next.sessions, s.sessions[:i]...)
	next.sessions = append(next.sessions, x)
	if replaced {
		i++
	}
	next.sessions = append(next.sessions, s.sessions[i:]...)
	return next
}

// without is s without the broker's session.
func (s *Soft) without(broker int32) *Soft {
	return &Soft{began: s.began, due: s.due, sessions: slices.DeleteFunc(slices.Clone(s.sessions),
		func(x session) bool { return x.broker == broker })}
}

// since is s with its beginning, if that is still to be said.
func (s *Soft) since(now time.Time) *Soft {
	if !s.began.IsZero() {
		return s
	}
	return &Soft{began: now, due: s.due, sessions: s.sessions}
}

// renewed is s with every session begun anew.
func (s *Soft) renewed(now time.Time) *Soft {
	next := &Soft{began: now, sessions: slices.Clone(s.sessions)}
	for i := range next.sessions {
		next.sessions[i].heard = now
	}
	return next
}

// until is s after a Tick that named a time.
func (s *Soft) until(due time.Time) *Soft {
	if s.due.Equal(due) {
		return s
	}
	return &Soft{began: s.began, due: due, sessions: s.sessions}
}

// wasPaused says that this Tick comes so long after the time that the last one
// named that the process was stopped meanwhile, and could hear of nobody. A busy
// one is late too, but not by half a session.
func (d *decision) wasPaused() bool {
	return !d.soft.due.IsZero() && d.env.Now.Sub(d.soft.due) > d.env.SessionTimeout/2
}

// alive says that the broker was heard of within the session timeout. Fenced
// brokers have no session until they are heard of.
func (d *decision) alive(b *meta.Broker) bool {
	x, heard := d.soft.find(b.ID, b.Epoch)
	if b.Fenced && !heard {
		return false
	}
	return d.env.Now.Sub(x.heard) < d.env.SessionTimeout
}

// Tick is what the passing of time leads to: brokers whose session has run out
// are fenced, all in one decision, so that no partition moves from one dead
// broker to another. The time is when to ask again; zero: not before the next
// request. A controller that was itself stopped for a while gives all a full
// session, as a new one does: the silence was its own, and a node that is alone
// would fence itself for it.
func Tick(s State, env Env) (Decision, time.Time) {
	d := newDecision(s, env)
	if d.wasPaused() {
		d.soft = d.soft.renewed(env.Now)
	}
	var next time.Time
	var silent []int32
	for b := range d.im.Brokers() {
		if b.Fenced && !d.leadsSomething(b.ID) {
			continue // one that leads kept it over a restart, which must end soon
		}
		x, _ := d.soft.find(b.ID, b.Epoch)
		expires := x.heard.Add(env.SessionTimeout)
		switch {
		case !expires.After(env.Now):
			silent = append(silent, b.ID)
		case next.IsZero() || expires.Before(next):
			next = expires
		}
	}
	d.fence(silent...)
	return Decision{Records: d.records, Soft: d.soft.until(next)}, next
}

// Fence fences a broker at once, as when its connection broke and its listener
// refuses. It does nothing if the broker is fenced, or has registered anew.
func Fence(s State, broker int32, epoch int64, env Env) Decision {
	d := newDecision(s, env)
	if b, ok := d.im.Broker(broker); ok && b.Epoch == epoch && !b.Fenced {
		d.fence(broker)
	}
	return Decision{Records: d.records, Soft: d.soft}
}

// fence moves every leader off the brokers, takes them out of every in-sync set,
// and fences them.
func (d *decision) fence(ids ...int32) {
	if len(ids) == 0 {
		return
	}
	d.updateLeaders(gone(ids...), inISR(ids...))
	for _, id := range ids {
		b, _ := d.view.Broker(id)
		if !b.Fenced { // else it led over a restart, and did not come back
			d.add(&meta.BrokerRegistrationChangeRecord{BrokerID: id, BrokerEpoch: b.Epoch, Fenced: 1})
		}
		d.soft = d.soft.without(id)
	}
}
