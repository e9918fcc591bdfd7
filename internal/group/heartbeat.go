package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Heartbeat says that a member lives. It is by far the most frequent event, and copies nothing.
func Heartbeat(r *kmsg.HeartbeatRequest, reply Reply) Event {
	return func(s *Shard, now time.Time) Decision {
		e := newEdit(s, now.UnixMilli())
		var code int16
		if err := e.heartbeat(r); err != nil {
			code = err.Code
		}
		e.answer(r, reply, &kmsg.HeartbeatResponse{ErrorCode: code})
		return e.decision()
	}
}

func (e *edit) heartbeat(r *kmsg.HeartbeatRequest) *kerr.Error {
	if r.Group == "" {
		return kerr.InvalidGroupID
	}
	g, ok := e.shard.groups.Get(r.Group)
	if !ok {
		return kerr.UnknownMemberID
	}
	if err := g.validate(r.MemberID, r.InstanceID); err != nil {
		return err
	}
	if r.Generation != g.Generation {
		return kerr.IllegalGeneration
	}
	m, _ := g.member(r.MemberID)
	e.heard(g, m)
	if g.State == PreparingRebalance {
		return kerr.RebalanceInProgress
	}
	return nil
}
