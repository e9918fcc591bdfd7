// Package rebalance plans which replicas move to which brokers, so that all brokers hold and lead about as many partitions, and those
// that are to go hold nothing. It is pure: it knows numbers, and must not know requests.
package rebalance

import (
	"cmp"
	"maps"
	"slices"
)

// Broker is one that is in the cluster.
type Broker struct {
	ID   int32
	Rack string // empty: none is known
	// Takes says that it shall hold replicas; what others hold moves away.
	Takes bool
}

// Partition is what a partition has now.
type Partition struct {
	Topic    string
	Index    int32
	Replicas []int32 // the preferred leader first
	Bytes    int64   // of one replica
}

// Move is a partition's change.
type Move struct {
	Partition
	To []int32
}

// Copies is how many bytes the move copies: none where it changes who leads only.
func (m Move) Copies() int64 {
	n := int64(0)
	for _, id := range m.To {
		if !slices.Contains(m.Replicas, id) {
			n += m.Bytes
		}
	}
	return n
}

// Plan gives the moves, those that copy most last. It moves as little as it can: first what lies on brokers that take nothing, then small
// replicas from brokers with many to brokers with few, until none has more than one more than another, and last the order of
// replicas, for leaders. No move makes a partition lie on fewer racks, and none changes how many replicas it has. Where too few
// brokers take replicas, what cannot move stays.
func Plan(brokers []Broker, partitions []Partition) []Move {
	p := newPlan(brokers, partitions)
	p.drain()
	p.even()
	p.lead()
	var moves []Move
	for i, before := range partitions {
		if to := p.replicas[i]; !slices.Equal(before.Replicas, to) {
			moves = append(moves, Move{Partition: before, To: to})
		}
	}
	slices.SortStableFunc(moves, func(a, b Move) int { return cmp.Compare(a.Copies(), b.Copies()) })
	return moves
}

type plan struct {
	racks      map[int32]string
	takers     []int32 // by id
	partitions []Partition
	replicas   [][]int32 // of each partition, as they are to be
	held       map[int32]int
	led        map[int32]int
}

func newPlan(brokers []Broker, partitions []Partition) *plan {
	p := &plan{racks: make(map[int32]string), partitions: partitions, held: make(map[int32]int), led: make(map[int32]int)}
	for _, b := range brokers {
		p.racks[b.ID] = b.Rack
		if b.Takes {
			p.takers = append(p.takers, b.ID)
			p.held[b.ID] = 0
		}
	}
	slices.Sort(p.takers)
	for _, part := range partitions {
		p.replicas = append(p.replicas, slices.Clone(part.Replicas))
		for _, id := range part.Replicas {
			p.held[id]++
		}
	}
	return p
}

// spread is on how many racks a partition lies.
func (p *plan) spread(replicas []int32) int {
	racks := make(map[string]bool)
	for _, id := range replicas {
		racks[p.racks[id]] = true
	}
	return len(racks)
}

// replaced are a partition's replicas with one broker in the place of another, unless it would lie on fewer racks, or twice on one broker.
func (p *plan) replaced(i int, from, to int32) ([]int32, bool) {
	before := p.replicas[i]
	at := slices.Index(before, from)
	if at < 0 || slices.Contains(before, to) {
		return nil, false
	}
	after := slices.Clone(before)
	after[at] = to
	return after, p.spread(after) >= p.spread(before)
}

func (p *plan) move(i int, after []int32, from, to int32) {
	p.replicas[i] = after
	p.held[from]--
	p.held[to]++
}

// byHeld are the takers, those with the fewest first.
func (p *plan) byHeld() []int32 {
	return slices.SortedStableFunc(slices.Values(p.takers), func(a, b int32) int { return cmp.Compare(p.held[a], p.held[b]) })
}

// drain empties the brokers that take nothing. Where racks forbid every place, having the partition elsewhere counts more.
func (p *plan) drain() {
	for i := range p.replicas {
		for _, from := range slices.Clone(p.replicas[i]) {
			if slices.Contains(p.takers, from) {
				continue
			}
			var loose []int32
			var looseTo int32
			done := false
			for _, to := range p.byHeld() {
				after, spread := p.replaced(i, from, to)
				if spread {
					p.move(i, after, from, to)
					done = true
					break
				}
				if after != nil && loose == nil {
					loose, looseTo = after, to
				}
			}
			if !done && loose != nil {
				p.move(i, loose, from, looseTo)
			}
		}
	}
}

// even moves replicas from the takers with most to those with fewest, for as long as that makes them more even.
func (p *plan) even() {
	bySize := make([]int, len(p.partitions))
	for i := range bySize {
		bySize[i] = i
	}
	slices.SortStableFunc(bySize, func(a, b int) int { return cmp.Compare(p.partitions[a].Bytes, p.partitions[b].Bytes) })
	for p.evenOnce(bySize) {
	}
}

func (p *plan) evenOnce(bySize []int) bool {
	order := p.byHeld()
	for _, from := range slices.Backward(order) {
		for _, to := range order {
			if p.held[from]-p.held[to] < 2 {
				break
			}
			for _, i := range bySize {
				if after, ok := p.replaced(i, from, to); ok {
					p.move(i, after, from, to)
					return true
				}
			}
		}
	}
	return false
}

// lead puts another replica first where that leads to more even leaders. What a step makes more even is their sum of squares, so it ends.
func (p *plan) lead() {
	for _, replicas := range p.replicas {
		if len(replicas) > 0 {
			p.led[replicas[0]]++
		}
	}
	for p.leadOnce() {
	}
}

func (p *plan) leadOnce() bool {
	for _, from := range slices.SortedStableFunc(maps.Keys(p.led), func(a, b int32) int { return cmp.Or(cmp.Compare(p.led[b], p.led[a]), cmp.Compare(a, b)) }) {
		for i, replicas := range p.replicas {
			if len(replicas) == 0 || replicas[0] != from {
				continue
			}
			best := 0
			for at, id := range replicas {
				if p.led[id] < p.led[replicas[best]] {
					best = at
				}
			}
			if p.led[from]-p.led[replicas[best]] >= 2 {
				after := slices.Clone(replicas)
				after[0], after[best] = after[best], after[0]
				p.led[from]--
				p.led[after[0]]++
				p.replicas[i] = after
				return true
			}
		}
	}
	return false
}
