package rebalance

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

var seed = flag.Uint64("rebalance.seed", 0, "the one world to plan for; 0: many")

func TestABrokerThatCameGetsItsShare(t *testing.T) {
	brokers := []Broker{{ID: 1, Takes: true}, {ID: 2, Takes: true}, {ID: 3, Takes: true}}
	var partitions []Partition
	for i := range int32(6) {
		partitions = append(partitions, Partition{Topic: "t", Index: i, Replicas: []int32{1, 2}, Bytes: int64(i) * 100})
	}
	held, led := after(partitions, Plan(brokers, partitions))
	if held[1] != 4 || held[2] != 4 || held[3] != 4 || led[1] != 2 || led[2] != 2 || led[3] != 2 {
		t.Errorf("brokers hold %v and lead %v", held, led)
	}
	moves := Plan(brokers, partitions)
	total := int64(0)
	for _, m := range moves {
		total += m.Copies()
	}
	if total > 0+100+200+300 {
		t.Errorf("%d bytes are copied, the four smallest replicas have 600", total)
	}
}

func TestWhatIsEvenStays(t *testing.T) {
	brokers := []Broker{{ID: 1, Takes: true}, {ID: 2, Takes: true}}
	if moves := Plan(brokers, []Partition{{Topic: "t", Replicas: []int32{1}}, {Topic: "t", Index: 1, Replicas: []int32{2}}, {Topic: "t", Index: 2, Replicas: []int32{1}}}); len(moves) > 0 {
		t.Errorf("moves %+v", moves)
	}
}

func TestABrokerThatGoesHoldsNothing(t *testing.T) {
	brokers := []Broker{{ID: 1, Takes: true}, {ID: 2, Takes: true}, {ID: 3}}
	partitions := []Partition{{Topic: "t", Replicas: []int32{3, 1}}, {Topic: "t", Index: 1, Replicas: []int32{2, 3}}, {Topic: "u", Replicas: []int32{3}}}
	held, _ := after(partitions, Plan(brokers, partitions))
	if held[3] != 0 {
		t.Errorf("brokers hold %v", held)
	}
	// Three replicas have no place on two brokers.
	full := []Partition{{Topic: "t", Replicas: []int32{1, 2, 3}}}
	if held, _ := after(full, Plan(brokers, full)); held[3] != 1 {
		t.Errorf("brokers hold %v", held)
	}
}

func after(partitions []Partition, moves []Move) (held, led map[int32]int) {
	held, led = make(map[int32]int), make(map[int32]int)
	for _, p := range partitions {
		replicas := p.Replicas
		for _, m := range moves {
			if m.Topic == p.Topic && m.Index == p.Index {
				replicas = m.To
			}
		}
		for _, id := range replicas {
			held[id]++
		}
		led[replicas[0]]++
	}
	return held, led
}

func TestPlansKeepEveryReplicaAndEveryRack(t *testing.T) {
	worlds := uint64(2_000)
	for s := uint64(1); s <= worlds; s++ {
		if *seed != 0 {
			s = *seed
		}
		world(t, s)
		if *seed != 0 || t.Failed() {
			return
		}
	}
}

// world makes a cluster, plans for it, and looks whether the plan is one.
func world(t *testing.T, s uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(s, 0))
	var brokers []Broker
	for i := range 2 + r.IntN(6) {
		brokers = append(brokers, Broker{ID: int32(i + 1), Rack: []string{"", "a", "b", "c"}[r.IntN(4)], Takes: i < 2 || r.IntN(5) > 0})
	}
	var partitions []Partition
	for i := range r.IntN(40) {
		order := r.Perm(len(brokers))
		p := Partition{Topic: fmt.Sprint("t", i%3), Index: int32(i), Bytes: int64(r.IntN(1000))}
		for _, at := range order[:1+r.IntN(min(3, len(brokers)))] {
			p.Replicas = append(p.Replicas, brokers[at].ID)
		}
		partitions = append(partitions, p)
	}
	moves := Plan(brokers, partitions)
	p := newPlan(brokers, partitions)
	for _, m := range moves {
		sorted := slices.Sorted(slices.Values(m.To))
		if len(m.To) != len(m.Replicas) || len(slices.Compact(sorted)) != len(m.To) {
			t.Errorf("seed %d: %s-%d goes from %v to %v", s, m.Topic, m.Index, m.Replicas, m.To)
		}
		drained := slices.ContainsFunc(m.Replicas, func(id int32) bool { return !slices.Contains(p.takers, id) })
		if !drained && p.spread(m.To) < p.spread(m.Replicas) {
			t.Errorf("seed %d: %s-%d goes from %v to %v, on fewer racks", s, m.Topic, m.Index, m.Replicas, m.To)
		}
		for _, id := range m.To {
			if !slices.Contains(m.Replicas, id) && !slices.Contains(p.takers, id) {
				t.Errorf("seed %d: %s-%d goes to broker %d, which takes nothing", s, m.Topic, m.Index, id)
			}
		}
	}
	// Where nothing is in the way, it is even.
	free := !slices.ContainsFunc(brokers, func(b Broker) bool { return b.Rack != brokers[0].Rack || !b.Takes })
	if held, _ := after(partitions, moves); free && len(partitions) > 0 {
		least, most := 1<<30, 0
		for _, b := range brokers {
			least, most = min(least, held[b.ID]), max(most, held[b.ID])
		}
		if most-least > 1 {
			t.Errorf("seed %d: brokers hold %v", s, held)
		}
	}
	if again := Plan(brokers, planned(partitions, moves)); slices.ContainsFunc(again, func(m Move) bool { return m.Copies() > 0 }) {
		t.Errorf("seed %d: a plan that was carried out leads to another one: %+v", s, again)
	}
}

func planned(partitions []Partition, moves []Move) []Partition {
	var out []Partition
	for _, p := range partitions {
		for _, m := range moves {
			if m.Topic == p.Topic && m.Index == p.Index {
				p.Replicas = m.To
			}
		}
		out = append(out, p)
	}
	return out
}
