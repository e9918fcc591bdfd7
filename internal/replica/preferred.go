package replica

import (
	"slices"
	"time"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// PreferredReader is the follower that a consumer in a rack had better read from, beginning at an offset (KIP-392, as
// RackAwareReplicaSelector chooses): of those in sync in its rack the one that has most, and had everything last. It is -1 if the
// leader is the right one, which this broker is not if it is -1 for that reason alone.
//
// Who is not in sync is no choice: it would fall behind, and the consumer with it.
func (p *Partition) PreferredReader(rack string, offset int64) int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, image := p.leader, p.topic.manager.image.Load()
	if l == nil || p.log == nil || p.gone != nil || rack == "" || offset < p.log.StartOffset() {
		return -1
	}
	in := func(b *meta.Broker) bool { return b.Rack != nil && *b.Rack == rack }
	if own, ok := image.Broker(l.self); ok && in(own) {
		return -1
	}
	best, end, caughtUp := int32(-1), int64(-1), time.Time{}
	for id, r := range l.remotes {
		b, ok := image.Broker(id)
		if !ok || b.Fenced || !in(b) || !slices.Contains(l.inSync, id) || r.end < offset {
			continue
		}
		if r.end > end || r.end == end && (r.caughtUpAt.After(caughtUp) || r.caughtUpAt.Equal(caughtUp) && id < best) {
			best, end, caughtUp = id, r.end, r.caughtUpAt
		}
	}
	return best
}
