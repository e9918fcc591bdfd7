package controller

import (
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
)

// placement asks for the replicas of new partitions. The same image, key and
// seed give the same answer.
type placement struct {
	key    string // the topic, so that topics made together begin elsewhere
	count  int
	factor int
	seed   uint64
}

// place chooses replicas for partitions. The first replica, which will lead,
// goes round all brokers that are not fenced, so that each leads as many
// partitions as the others, give or take one. The replicas of a partition lie on
// as many racks as there are, each rack giving its brokers in turn, the fenced
// ones last.
//
// After each round the order is shuffled: else the same brokers would be
// together in every partition, and losing one would burden only a few.
func place(im *meta.Image, p placement) ([][]int32, error) {
	set := gatherRacks(im, p)
	switch {
	case p.factor <= 0:
		return nil, refuse(kerr.InvalidReplicationFactor,
			"Invalid replication factor %d: the replication factor must be positive.", p.factor)
	case len(set.leaders) == 0:
		return nil, refuse(kerr.InvalidReplicationFactor,
			"All brokers are currently fenced, or have all their log directories cordoned.")
	case p.factor > set.total:
		return nil, refuse(kerr.InvalidReplicationFactor,
			"The target replication factor of %d cannot be reached because only %d broker(s) are registered or some brokers have all their log directories cordoned.",
			p.factor, set.total)
	}
	partitions := make([][]int32, p.count)
	for i := range partitions {
		partitions[i] = set.next(p.factor)
	}
	return partitions, nil
}

// rackSet gives out brokers, rack after rack.
type rackSet struct {
	racks   []*rack
	leaders []seat // every unfenced broker once
	total   int
	round   int // partitions placed since the last shuffle
	random  *rand.Rand
}

// seat is a broker in its rack.
type seat struct {
	id   int32
	rack int
}

type rack struct {
	name             string
	unfenced, fenced ring
}

// gatherRacks finds the brokers that may take replicas: not leaving, and with a
// directory that is not cordoned. Those without a rack are one rack together.
func gatherRacks(im *meta.Image, p placement) *rackSet {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(p.key))
	set := &rackSet{random: rand.New(rand.NewPCG(p.seed, hash.Sum64()))}
	for b := range im.Brokers() {
		if b.InControlledShutdown || !hasUncordoned(b) {
			continue
		}
		set.total++
		at := set.rackOf(b)
		if b.Fenced {
			set.racks[at].fenced.ids = append(set.racks[at].fenced.ids, b.ID)
			continue
		}
		set.racks[at].unfenced.ids = append(set.racks[at].unfenced.ids, b.ID)
		set.leaders = append(set.leaders, seat{b.ID, at})
	}
	set.shuffle()
	return set
}

// rackOf is the index of the broker's rack. No broker names its rack "".
func (s *rackSet) rackOf(b *meta.Broker) int {
	name := ""
	if b.Rack != nil {
		name = *b.Rack
	}
	at := slices.IndexFunc(s.racks, func(r *rack) bool { return r.name == name })
	if at < 0 {
		at = len(s.racks)
		s.racks = append(s.racks, &rack{name: name})
	}
	return at
}

func (s *rackSet) shuffle() {
	s.round = 0
	s.random.Shuffle(len(s.leaders), func(i, j int) { s.leaders[i], s.leaders[j] = s.leaders[j], s.leaders[i] })
	for _, r := range s.racks {
		r.unfenced.shuffle(s.random)
		r.fenced.shuffle(s.random)
	}
}

// next are the replicas of one partition. It ends because place checked that
// there are as many brokers as replicas.
func (s *rackSet) next(factor int) []int32 {
	if s.round == len(s.leaders) {
		s.shuffle()
	}
	leader := s.leaders[s.round]
	s.round++
	replicas := make([]int32, 1, factor)
	replicas[0] = leader.id
	for at := leader.rack + 1; len(replicas) < factor; at++ {
		r := s.racks[at%len(s.racks)]
		id, ok := r.unfenced.take(replicas)
		if !ok {
			id, ok = r.fenced.take(replicas)
		}
		if ok {
			replicas = append(replicas, id)
		}
	}
	return replicas
}

// ring gives out brokers in turn.
type ring struct {
	ids  []int32
	next int
}

func (r *ring) shuffle(random *rand.Rand) {
	random.Shuffle(len(r.ids), func(i, j int) { r.ids[i], r.ids[j] = r.ids[j], r.ids[i] })
}

// take is the next broker that is not among those taken.
func (r *ring) take(taken []int32) (int32, bool) {
	for range r.ids {
		id := r.ids[r.next%len(r.ids)]
		r.next = (r.next + 1) % len(r.ids)
		if !slices.Contains(taken, id) {
			return id, true
		}
	}
	return 0, false
}
