package controller

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// world is a cluster of three brokers with one partition, whose replicas hold
// records: what the controller's decisions are for. Brokers die, lose what they
// had not flushed, are silent and come back, and the partition moves between
// them; the property is that whoever leads has everything that was acknowledged,
// unless the partition says that it is recovering from an unclean election.
type world struct {
	*rapid.T
	c       *cluster
	alive   map[int32]bool
	lost    map[int32]bool // died with its page cache since it last registered
	has     map[int32]int  // records of each replica
	acked   int
	written int // a number for each record that was ever appended
	logs    map[int32][]int
	next    byte // incarnation
}

const replicas = 3

func newWorld(t *rapid.T, tb testing.TB) *world {
	w := &world{T: t, c: newCluster(tb), alive: map[int32]bool{}, lost: map[int32]bool{}, logs: map[int32][]int{}, next: 'A'}
	w.c.play("born")
	w.c.play("brokers 1,2,3")
	unclean := rapid.SampledFrom([]string{"false", "true"}).Draw(t, "unclean election")
	w.c.play("create\nt 0:1,2,3 min.insync.replicas=2 unclean.leader.election.enable=" + unclean)
	for id := range int32(replicas) {
		w.alive[id+1] = true
	}
	return w
}

func (w *world) partition() *meta.Partition {
	p, _ := w.c.state.Image.Partition("t", 0)
	return p
}

func (w *world) broker() int32 { return rapid.Int32Range(1, replicas).Draw(w.T, "broker") }

// produce is a leader's append to all in sync, acknowledged when they are enough.
func (w *world) produce() {
	p := w.partition()
	if p.Leader == meta.NoLeader || !w.alive[p.Leader] {
		return
	}
	for _, id := range p.ISR {
		if !w.alive[id] {
			return // not acknowledged by all in sync: the leader waits
		}
	}
	w.written++
	for _, id := range p.ISR {
		w.logs[id] = append(slices.Clone(w.logs[p.Leader]), w.written)
	}
	w.logs[p.Leader] = slices.Clone(w.logs[p.ISR[0]])
	if len(p.ISR) >= min(2, len(p.Replicas)) {
		w.acked = len(w.logs[p.Leader])
	}
}

// proposal is a leader putting followers that have caught up into the in-sync
// set, or taking some out.
func (w *world) propose() {
	p := w.partition()
	if p.Leader == meta.NoLeader || !w.alive[p.Leader] || w.lost[p.Leader] {
		return
	}
	isr := []int32{p.Leader}
	for _, id := range p.Replicas {
		b, _ := w.c.state.Image.Broker(id)
		if id != p.Leader && w.alive[id] && !b.Fenced && !w.lost[id] && rapid.Bool().Draw(w.T, "in sync") {
			isr = append(isr, id)
		}
	}
	for _, id := range isr {
		w.logs[id] = slices.Clone(w.logs[p.Leader]) // only who has everything is proposed
	}
	w.proposeISR(p, isr)
}

func (w *world) proposeISR(p *meta.Partition, isr []int32) {
	request := kmsg.NewPtrAlterPartitionRequest()
	request.Version, request.BrokerID = 3, p.Leader
	b, _ := w.c.state.Image.Broker(p.Leader)
	request.BrokerEpoch = b.Epoch
	part := kmsg.NewAlterPartitionRequestTopicPartition()
	part.LeaderEpoch, part.PartitionEpoch = p.LeaderEpoch, p.PartitionEpoch
	for _, id := range isr {
		b, _ := w.c.state.Image.Broker(id)
		part.NewEpochISR = append(part.NewEpochISR, kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{BrokerID: id, BrokerEpoch: b.Epoch})
	}
	topic := kmsg.NewAlterPartitionRequestTopic()
	topic.TopicID = w.c.topicID("t")
	topic.Partitions = append(topic.Partitions, part)
	request.Topics = append(request.Topics, topic)
	w.c.decide(request)
}

// reassign asks for other replicas, or has the last wish taken back.
func (w *world) reassign() {
	command := "reassign\nt-0 cancel"
	if target := rapid.SliceOfNDistinct(rapid.Int32Range(1, replicas), 0, replicas, rapid.ID[int32]).Draw(w.T, "target"); len(target) > 0 {
		command = "reassign\nt-0 " + strings.Trim(strings.ReplaceAll(fmt.Sprint(target), " ", ","), "[]")
	}
	w.c.play(command)
}

// die ends a broker's process, with or without its machine.
func (w *world) die() {
	id := w.broker()
	if !w.alive[id] {
		return
	}
	w.alive[id] = false
	if rapid.Bool().Draw(w.T, "power cut") {
		w.lost[id] = true
		w.logs[id] = w.logs[id][:rapid.IntRange(0, len(w.logs[id])).Draw(w.T, "kept")]
	}
}

// start is a new process, which registers until it is let in.
func (w *world) start() {
	id := w.broker()
	b, _ := w.c.state.Image.Broker(id)
	if w.alive[id] || !b.Fenced {
		return
	}
	w.next++
	command := "register id=" + string(rune('0'+id)) + " incarnation=" + string(rune(w.next))
	if !w.lost[id] {
		command += " clean"
	}
	w.c.play(command)
	if b, _ := w.c.state.Image.Broker(id); b.Incarnation[15] == w.next {
		w.alive[id], w.lost[id] = true, false
	}
}

// beats are heartbeats of all that live, and the fencing of all that do not.
func (w *world) beats() {
	w.c.env.Now = w.c.env.Now.Add(w.c.env.SessionTimeout)
	for id := int32(1); id <= replicas; id++ {
		if w.alive[id] && rapid.IntRange(0, 9).Draw(w.T, "heard") > 0 {
			w.c.play("heartbeat id=" + string(rune('0'+id)))
		}
	}
	w.c.play("tick")
}

func (w *world) balance() { w.c.play("balance") }

func (w *world) check(before, after *meta.Partition) {
	for id := range w.logs {
		if !slices.Contains(after.Replicas, id) {
			delete(w.logs, id) // it moved away
		}
	}
	if after.LeaderEpoch < before.LeaderEpoch || after.PartitionEpoch < before.PartitionEpoch {
		w.Fatalf("epochs fell: %+v, then %+v", before, after)
	}
	if after.LeaderEpoch == before.LeaderEpoch && after.Leader != before.Leader {
		w.Fatalf("two leaders in epoch %d: %d, then %d", after.LeaderEpoch, before.Leader, after.Leader)
	}
	if after.Leader == meta.NoLeader || after.LeaderEpoch == before.LeaderEpoch {
		return
	}
	if after.LeaderRecovery == meta.Recovering {
		w.acked = min(w.acked, len(w.logs[after.Leader])) // the loss was announced
		return
	}
	if w.lost[after.Leader] {
		return // it died while nobody knew; it cannot answer, and will be fenced
	}
	if n := len(w.logs[after.Leader]); n < w.acked {
		w.Fatalf("%d leads with %d records, %d were acknowledged: %+v, then %+v", after.Leader, n, w.acked, before, after)
	}
}

func TestWhoeverLeadsHasWhatWasAcknowledged(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt, t)
		for range rapid.IntRange(1, 100).Draw(rt, "steps") {
			before := w.partition()
			rapid.SampledFrom([]func(*world){
				(*world).produce, (*world).produce, (*world).propose, (*world).propose,
				(*world).die, (*world).die, (*world).start, (*world).beats, (*world).beats, (*world).balance, (*world).reassign,
			}).Draw(rt, "step")(w)
			w.check(before, w.partition())
			if t.Failed() {
				rt.Fatalf("an invariant does not hold")
			}
		}
	})
}
