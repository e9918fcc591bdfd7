package controller

import (
	"maps"
	"slices"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// maxRaises bounds the partitions of internal topics that get replicas at a time,
// so that they don't take the brokers from everything else.
const maxRaises = 20

// RaiseFactors gives internal topics more replicas, up to the factors that are
// asked for by name, as there are brokers for them: a topic that was made when
// there was one broker would go with it. It never takes a replica away. more says
// that there is more to do once what it has begun is through.
//
// Kafka leaves that to a person, who finds out when the broker is gone.
func RaiseFactors(s State, env Env, factors map[string]int) (decision Decision, more bool) {
	d := newDecision(s, env)
	under, held := 0, d.heldByBroker(factors)
	for _, name := range slices.Sorted(maps.Keys(factors)) {
		t, ok := d.im.Topic(name)
		if !ok {
			continue
		}
		for i, p := range t.Partitions {
			if !p.Exists() || p.Leader == meta.NoLeader {
				continue
			}
			if reassigning(p) {
				under++
				continue
			}
			missing := min(factors[name], len(held)) - len(p.Replicas)
			if missing <= 0 {
				continue
			}
			if under == maxRaises {
				return Decision{Records: d.records, Soft: d.soft}, true
			}
			target := slices.Clone(p.Replicas)
			for range missing {
				id, ok := d.nextReplica(target, held)
				if !ok {
					break
				}
				target = append(target, id)
				held[id]++
			}
			c := d.change(d.im, t, int32(i))
			if len(target) == len(p.Replicas) || d.beginReassignment(c, target, true) != nil {
				continue
			}
			if r := c.build(); r != nil {
				d.add(r)
				under++
			}
		}
	}
	return Decision{Records: d.records, Soft: d.soft}, under > 0
}

// heldByBroker counts the replicas of the topics by broker, of those that may
// take more.
func (d *decision) heldByBroker(topics map[string]int) map[int32]int {
	held := make(map[int32]int)
	for b := range d.im.Brokers() {
		if isActive(d.im, b.ID) && hasUncordoned(b) {
			held[b.ID] = 0
		}
	}
	for name := range topics {
		t, ok := d.im.Topic(name)
		if !ok {
			continue
		}
		for _, p := range t.Partitions {
			for _, id := range p.Replicas {
				if _, may := held[id]; may {
					held[id]++
				}
			}
		}
	}
	return held
}

// nextReplica is the broker that had best hold one more replica beside those
// given: in a rack that none of them is in, and with the fewest.
func (d *decision) nextReplica(beside []int32, held map[int32]int) (int32, bool) {
	racks := make(map[string]bool)
	for _, id := range beside {
		racks[d.rack(id)] = true
	}
	best, found := int32(0), false
	for _, id := range slices.Sorted(maps.Keys(held)) {
		if slices.Contains(beside, id) {
			continue
		}
		newRack, bestNew := !racks[d.rack(id)], found && !racks[d.rack(best)]
		if !found || newRack && !bestNew || newRack == bestNew && held[id] < held[best] {
			best, found = id, true
		}
	}
	return best, found
}

func (d *decision) rack(id int32) string {
	if b, ok := d.im.Broker(id); ok && b.Rack != nil {
		return *b.Rack
	}
	return ""
}
