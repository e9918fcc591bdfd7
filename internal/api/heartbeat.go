package api

import "github.com/twmb/franz-go/pkg/kmsg"

// Heartbeat (key 12) says that a member lives, and tells it when it is to join again.
//
// Versions 0–4. 3: static members (KIP-345).
func (b *Broker) heartbeat(r *Request) Result {
	return b.toGroups(r, r.Body.(*kmsg.HeartbeatRequest), nil)
}
