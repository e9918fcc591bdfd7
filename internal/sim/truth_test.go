package sim

import (
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/quorum"
)

// truth is what somebody who sees everything knows, and what must be true of it.
type truth struct {
	w           *world
	leaders     map[uint64]uint64 // of Raft, by term
	log         []uint64          // what was committed, from index firstIndex on
	images      map[int64]uint64  // by offset
	decisions   map[decision]uint64
	newest      *meta.Image      // that is committed
	returning   map[meta.ID]bool // incarnations that may lead on over their restart
	checkpoints []checkpoint
	acked       map[place]map[int]int // values by offset
	written     int
	ids         byte
	whole       bool // everything was well in the end
}

// firstIndex follows the snapshot that a log begins with.
const firstIndex = 2

type decision struct {
	term   uint64
	offset int64
}

// checkpoint is what a snapshot names.
type checkpoint struct {
	index  uint64
	offset int64
	image  *meta.Image
}

func (t *truth) init(w *world) {
	*t = truth{
		w: w, newest: meta.Empty(), leaders: map[uint64]uint64{}, images: map[int64]uint64{}, decisions: map[decision]uint64{},
		returning: map[meta.ID]bool{}, acked: map[place]map[int]int{},
	}
}

// sees holds that a term has one leader.
func (t *truth) sees(h *host, s quorum.Status) {
	switch {
	case !t.w.isWhole(s.Members):
		h.wholeSince = -1
	case h.wholeSince < 0:
		h.wholeSince = t.w.now
	}
	if !s.Leads {
		return
	}
	if before, ok := t.leaders[s.Term]; ok && before != s.ID {
		t.w.fail("two lead in term %d: %x and %x (host %d)", s.Term, before, s.ID, h.id)
	}
	t.leaders[s.Term] = s.ID
}

func fingerprint(im *meta.Image) uint64 {
	sum := fnv.New64a()
	for r := range im.Snapshot() {
		b, err := meta.Encode(nil, r, meta.LatestMetadataVersion)
		if err != nil {
			panic(err)
		}
		_, _ = sum.Write(b)
	}
	return sum.Sum64()
}

// decided remembers what a controller expects its decision to lead to.
func (t *truth) decided(term uint64, offset int64, im *meta.Image) {
	t.decisions[decision{term, offset}] = fingerprint(im)
}

// committed holds that everybody applies the same entries, to the same images, and looks at what is new.
func (t *truth) committed(h *host, e quorum.Entry, before *meta.Image) {
	sum := fnv.New64a()
	_, _ = fmt.Fprint(sum, e.Term)
	_, _ = sum.Write(e.Payload)
	i := int(e.Index - firstIndex)
	switch {
	case i < len(t.log) && t.log[i] != sum.Sum64():
		t.w.fail("host %d applies another entry %d than was committed before", h.id, e.Index)
	case i > len(t.log):
		t.w.fail("host %d applies entry %d, which nobody saw committed", h.id, e.Index)
	}
	if len(e.Payload) == 0 {
		if i == len(t.log) {
			t.log = append(t.log, sum.Sum64())
		}
		return
	}
	image := fingerprint(h.image)
	if known, ok := t.images[h.offset]; ok && known != image {
		t.w.fail("host %d has another image at offset %d", h.id, h.offset)
	}
	if meant, ok := t.decisions[decision{e.Term, h.offset}]; !ok || meant != image {
		t.w.fail("host %d has an image at offset %d that no controller of term %d decided", h.id, h.offset, e.Term)
	}
	t.images[h.offset] = image
	if i == len(t.log) {
		t.log = append(t.log, sum.Sum64())
		t.newest = h.image
		t.w.counts.commits++
		t.follows(before, h.image)
	}
}

// follows holds what is true of an image and the one before.
func (t *truth) follows(before, after *meta.Image) {
	for topic := range after.Topics() {
		old, known := before.TopicByID(topic.ID)
		for i, p := range topic.Partitions {
			bad := func(what string) { t.w.fail("%s-%d: %s: %+v", topic.Name, i, what, *p) }
			if p.Leader != meta.NoLeader && !slices.Contains(p.ISR, p.Leader) {
				bad("the leader is out of sync")
			}
			for _, id := range slices.Concat(p.ISR, p.ELR) {
				if !slices.Contains(p.Replicas, id) {
					bad("in sync or eligible without being a replica")
				}
			}
			for _, id := range append(slices.Clone(p.ISR), p.Leader) {
				if b, ok := after.Broker(id); ok && b.Fenced && !(t.returning[b.Incarnation] && id == p.Leader) {
					bad(fmt.Sprintf("broker %d is fenced", id))
				}
			}
			if known && i < len(old.Partitions) {
				t.moves(old.Partitions[i], p, bad)
			}
		}
	}
	for b := range before.Brokers() {
		if now, ok := after.Broker(b.ID); ok && now.Epoch < b.Epoch {
			t.w.fail("broker %d goes back from epoch %d to %d", b.ID, b.Epoch, now.Epoch)
		}
	}
}

// moves holds what is true of a partition and what it was before.
func (t *truth) moves(old, p *meta.Partition, bad func(string)) {
	if p.LeaderEpoch < old.LeaderEpoch || p.PartitionEpoch < old.PartitionEpoch {
		bad("epochs fall")
	}
	if p.LeaderEpoch == old.LeaderEpoch && p.Leader != old.Leader {
		bad(fmt.Sprintf("two leaders in an epoch, before it was %d", old.Leader))
	}
	if p.PartitionEpoch == old.PartitionEpoch && !slices.Equal(p.ISR, old.ISR) {
		bad("another in-sync set in the same epoch")
	}
	if p.LeaderEpoch != old.LeaderEpoch {
		t.w.counts.elections++
		clean := slices.Contains(old.ISR, p.Leader) || slices.Contains(old.ELR, p.Leader)
		if p.Leader != meta.NoLeader && !clean && p.LeaderRecovery != meta.Recovering {
			bad(fmt.Sprintf("leads cleanly without having been in sync, before %+v", *old))
		}
	}
}

// registers notes a broker that is the controller's own process: it may lead on over a restart though it is fenced.
func (t *truth) registers(h *host, request kmsg.Request) {
	if r, ok := request.(*kmsg.BrokerRegistrationRequest); ok && meta.ID(r.IncarnationID) == h.broker.incarnation {
		t.returning[r.IncarnationID] = true
	}
}

// created holds that what a client was told is committed.
func (t *truth) created(id meta.ID) {
	if _, ok := t.newest.TopicByID(id); !ok {
		t.w.fail("a client was told of topic %s, which nobody has committed", meta.FormatID(id))
	}
}

// acknowledged holds that an offset means one record.
func (t *truth) acknowledged(at place, a ack) {
	if t.acked[at] == nil {
		t.acked[at] = map[int]int{}
	}
	if before, ok := t.acked[at][a.offset]; ok && before != a.value {
		t.w.fail("two records are acknowledged at offset %d: %d and %d", a.offset, before, a.value)
	}
	t.acked[at][a.offset] = a.value
	t.w.counts.acked++
}

// begins holds that who begins to lead has what was acknowledged, unless the metadata says that something was lost.
func (t *truth) begins(r *replica) {
	topic, ok := t.newest.TopicByID(r.at.topic)
	if !ok || topic.Partitions[r.at.index].LeaderEpoch != r.epoch {
		return // another one leads already, which this broker will hear
	}
	t.w.say("host %d leads %s-%d in epoch %d with %d records, in sync %v", r.b.h.id, topic.Name, r.at.index, r.epoch, len(r.log.records), r.state.ISR)
	announced := r.state.LeaderRecovery == meta.Recovering
	if announced {
		t.w.counts.unclean++
	}
	for offset := range t.highest(r.at) {
		value, ok := t.acked[r.at][offset]
		if !ok || offset < len(r.log.records) && r.log.records[offset].value == value {
			continue
		}
		if !announced {
			t.w.fail("host %d leads %s-%d in epoch %d without record %d, which was acknowledged at offset %d; it has %d: %+v",
				r.b.h.id, topic.Name, r.at.index, r.epoch, value, offset, len(r.log.records), *r.state)
			return
		}
		delete(t.acked[r.at], offset)
	}
}

// highest is above the offsets that were acknowledged.
func (t *truth) highest(at place) int {
	highest := -1
	for offset := range t.acked[at] {
		highest = max(highest, offset)
	}
	return highest + 1
}

// missing is what keeps the world from being whole.
func (t *truth) missing() string {
	led := ""
	for _, h := range t.w.hosts {
		if !h.up {
			return fmt.Sprintf("host %d is not there", h.id)
		}
		s := h.raft.Status()
		switch {
		case s.Leader == 0:
			return fmt.Sprintf("host %d knows no leader in term %d", h.id, s.Term)
		case s.Leads && h.active == nil:
			return fmt.Sprintf("host %d leads and does not control", h.id)
		case int(h.applied)-firstIndex+1 != len(t.log):
			return fmt.Sprintf("host %d has applied %d entries of %d", h.id, h.applied, len(t.log))
		case s.Leads && !t.w.isWhole(s.Members):
			return fmt.Sprintf("the quorum's members are %v", s.Members.ConfState)
		}
		if s.Leads {
			led = "somebody"
		}
		if b, ok := t.newest.Broker(h.id); !ok || b.Fenced || b.Incarnation != h.broker.incarnation {
			return fmt.Sprintf("broker %d is not registered, or fenced", h.id)
		}
	}
	if led == "" || t.newest.NumTopics() == 0 || t.written == 0 {
		return "nobody leads, or no topic is made, or no record written"
	}
	return t.missingOfPartitions()
}

func (t *truth) missingOfPartitions() string {
	for topic := range t.newest.Topics() {
		for i, p := range topic.Partitions {
			if p.Leader == meta.NoLeader || len(p.ISR) != hosts || p.LeaderRecovery != meta.Recovered {
				return fmt.Sprintf("%s-%d is not led, or not in sync everywhere: %+v", topic.Name, i, *p)
			}
			at := place{topic.ID, int32(i)}
			first := t.w.hosts[0].logAt(at).records
			for _, h := range t.w.hosts {
				if !slices.Equal(first, h.logAt(at).records) {
					return fmt.Sprintf("host %d has another log of %s-%d", h.id, topic.Name, i)
				}
				for offset, value := range t.acked[at] {
					if offset >= len(first) || first[offset].value != value {
						t.w.fail("%s-%d: record %d was acknowledged and is lost", topic.Name, i, value)
					}
				}
			}
		}
	}
	return ""
}
