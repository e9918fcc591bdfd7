package sim

import (
	"cmp"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// log is a partition's records on a disk.
type log struct {
	records []record
	synced  int
}

type record struct {
	epoch int32
	value int
}

// crash loses some of what was not synced.
func (l *log) crash(w *world) {
	keep := l.synced
	if loose := len(l.records) - l.synced; loose > 0 {
		keep += w.random.IntN(loose + 1)
	}
	l.cut(keep)
	l.synced = keep
}

func (l *log) cut(at int) {
	l.records = slices.Clip(l.records[:at])
	l.synced = min(l.synced, at)
}

func (l *log) lastEpoch() int32 {
	if len(l.records) == 0 {
		return -1
	}
	return l.records[len(l.records)-1].epoch
}

// endOf is the largest epoch that is not above the one asked for, and where it ends.
func (l *log) endOf(epoch int32) (int32, int) {
	end := sortSearch(len(l.records), func(i int) bool { return l.records[i].epoch > epoch })
	if end == 0 {
		return -1, 0
	}
	return l.records[end-1].epoch, end
}

func (h *host) logAt(at place) *log {
	if h.logs[at] == nil {
		h.logs[at] = &log{}
	}
	return h.logs[at]
}

// replica is a simple model of a partition on a broker, which leads or follows as the metadata says.
type replica struct {
	b      *broker
	at     place
	log    *log
	leader int32
	epoch  int32 // of the leader that it is or follows
	state  *meta.Partition
	hw     int
	asks   int // fetches

	leads    bool
	begin    int // of its epoch
	remotes  map[int32]remote
	proposed []int32 // nil: nothing
	acks     []ack
}

// remote is what a leader knows of a follower.
type remote struct {
	end         int
	brokerEpoch int64
	caughtUp    int64
}

type ack struct{ offset, value int }

// learn takes what the controller decided.
func (r *replica) learn(p *meta.Partition) {
	if r.state != nil && p.PartitionEpoch <= r.state.PartitionEpoch {
		return
	}
	r.state, r.leader, r.proposed = p, p.Leader, nil
	if p.LeaderEpoch != r.epoch || r.leads && p.Leader != r.b.h.id {
		r.epoch, r.leads, r.acks = p.LeaderEpoch, p.Leader == r.b.h.id, nil
		if r.leads {
			r.lead()
		} else if r.b.h.w.plan.faults.cutsToHW {
			r.log.cut(min(r.hw, len(r.log.records)))
		}
	}
	if r.leads {
		r.advance()
	}
}

func (r *replica) lead() {
	r.begin, r.remotes = len(r.log.records), map[int32]remote{}
	for _, id := range r.state.Replicas {
		r.remotes[id] = remote{caughtUp: r.b.h.w.now, brokerEpoch: -1}
	}
	r.b.h.w.truth.begins(r)
}

func (r *replica) write() {
	w := r.b.h.w
	if !r.leads || len(r.state.ISR) < minISR && !w.plan.faults.ackWhileAlone {
		return
	}
	w.truth.written++
	r.log.records = append(r.log.records, record{r.epoch, w.truth.written})
	r.acks = append(r.acks, ack{len(r.log.records) - 1, w.truth.written})
	r.advance()
}

// advance moves the high watermark to what everybody has who is or may be in sync, and acknowledges.
func (r *replica) advance() {
	faults := r.b.h.w.plan.faults
	if len(r.state.ISR) < minISR && !faults.ackWhileAlone {
		return
	}
	end := len(r.log.records)
	for _, id := range r.maximal() {
		if id != r.b.h.id && !faults.earlyAcks {
			end = min(end, r.remotes[id].end)
		}
	}
	r.hw = max(r.hw, end)
	for len(r.acks) > 0 && r.acks[0].offset < r.hw {
		r.b.h.w.truth.acknowledged(r.at, r.acks[0])
		r.acks = r.acks[1:]
	}
}

// maximal is the in-sync set with what may have been added to it.
func (r *replica) maximal() []int32 {
	ids := slices.Clone(r.state.ISR)
	if r.b.h.w.plan.faults.forgetsISR {
		return ids
	}
	for _, id := range r.proposed {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// lag proposes to go on without those that are behind for too long.
func (r *replica) lag() {
	if r.proposed != nil {
		return
	}
	if r.state.LeaderRecovery == meta.Recovering {
		r.propose([]int32{r.b.h.id})
		return
	}
	isr := slices.DeleteFunc(slices.Clone(r.state.ISR), func(id int32) bool {
		m := r.remotes[id]
		return id != r.b.h.id && m.end < len(r.log.records) && r.b.h.w.now-m.caughtUp > lagMillis
	})
	if len(isr) < len(r.state.ISR) {
		r.propose(isr)
	}
}

// fetched notes how far a follower is, which may bring it into the in-sync set.
func (r *replica) fetched(from int32, offset int, brokerEpoch int64) {
	m := remote{end: offset, brokerEpoch: brokerEpoch, caughtUp: r.remotes[from].caughtUp}
	if offset >= len(r.log.records) {
		m.caughtUp = r.b.h.w.now
	}
	r.remotes[from] = m
	r.advance()
	b, ok := r.b.image.Broker(from)
	known := ok && !b.Fenced && !b.InControlledShutdown && b.Epoch == brokerEpoch
	if known && r.proposed == nil && !slices.Contains(r.state.ISR, from) && offset >= r.hw && offset >= r.begin &&
		r.state.LeaderRecovery == meta.Recovered {
		r.propose(append(slices.Clone(r.state.ISR), from))
	}
}

// propose asks for an in-sync set until there is an answer. Until the metadata says which it is, both count.
func (r *replica) propose(isr []int32) {
	if r.b.epoch < 0 {
		return
	}
	r.proposed = isr
	request := kmsg.NewPtrAlterPartitionRequest()
	request.Version, request.BrokerID, request.BrokerEpoch = 3, r.b.h.id, r.b.epoch
	p := kmsg.NewAlterPartitionRequestTopicPartition()
	p.Partition, p.LeaderEpoch, p.PartitionEpoch = r.at.index, r.epoch, r.state.PartitionEpoch
	for _, id := range isr {
		m := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
		m.BrokerID, m.BrokerEpoch = id, r.remotes[id].brokerEpoch
		if id == r.b.h.id {
			m.BrokerEpoch = r.b.epoch
		}
		if slices.Contains(r.state.ISR, id) && m.BrokerEpoch < 0 {
			m.BrokerEpoch = -1 // not heard of yet by this leader, but in sync as the controller knows
		}
		p.NewEpochISR = append(p.NewEpochISR, m)
	}
	request.Topics = []kmsg.AlterPartitionRequestTopic{{TopicID: r.at.topic, Partitions: []kmsg.AlterPartitionRequestTopicPartition{p}}}
	r.sendProposal(request, r.state.PartitionEpoch)
}

func (r *replica) sendProposal(request *kmsg.AlterPartitionRequest, epoch int32) {
	if !r.leads || r.proposed == nil || r.state.PartitionEpoch != epoch {
		return
	}
	r.b.h.ask(request, func(answer kmsg.Response) { r.answered(answer.(*kmsg.AlterPartitionResponse), epoch) })
	r.b.h.after(400, func() { r.sendProposal(request, epoch) })
}

// answered ends a proposal that was not taken and will not be. What was taken, now or when it was asked before, is in the metadata.
func (r *replica) answered(answer *kmsg.AlterPartitionResponse, epoch int32) {
	code := answer.ErrorCode
	if code == 0 {
		code = answer.Topics[0].Partitions[0].ErrorCode
	}
	ends := code == kerr.IneligibleReplica.Code || code == kerr.InvalidRequest.Code
	if ends && r.state.PartitionEpoch == epoch {
		r.proposed = nil
	}
}

// ask fetches from the leader: what comes back is for this leader epoch and this end of the log alone.
func (r *replica) ask(leader *host) {
	h, epoch, end, last := r.b.h, r.epoch, len(r.log.records), r.log.lastEpoch()
	brokerEpoch := r.b.epoch
	r.asks++
	asked := asked{r.asks, epoch, end}
	h.w.send(h, leader, func() {
		from := leader.broker.replicas[r.at]
		if from == nil || !from.leads || from.epoch != epoch && !h.w.plan.faults.acceptsAnyTerm {
			return
		}
		at, divergesAt := from.log.endOf(last)
		if at != last || end > divergesAt {
			h.w.send(leader, h, func() { r.diverged(asked, at, divergesAt) }, nil)
			return
		}
		from.fetched(h.id, end, brokerEpoch)
		records := slices.Clone(from.log.records[end:min(len(from.log.records), end+5)])
		hw := from.hw
		h.w.send(leader, h, func() { r.take(asked, records, hw) }, nil)
	}, nil)
}

// asked is what a fetch was sent for.
type asked struct {
	number int
	epoch  int32
	end    int
}

// answers says that an answer is the first to the last fetch, and still for what this replica is.
func (r *replica) answers(to asked) bool {
	if r.b != r.b.h.broker || r.leads || len(r.log.records) < to.end {
		return false
	}
	if r.b.h.w.plan.faults.acceptsAnyTerm {
		return true
	}
	if r.asks != to.number {
		return false
	}
	r.asks++ // what comes twice is no answer
	return r.epoch == to.epoch && len(r.log.records) == to.end
}

func (r *replica) take(to asked, records []record, hw int) {
	if !r.answers(to) {
		return
	}
	r.log.records = append(r.log.records, records...)
	r.hw = max(r.hw, min(hw, len(r.log.records)))
}

// diverged cuts off what the leader does not have.
func (r *replica) diverged(to asked, leaders int32, at int) {
	if !r.answers(to) {
		return
	}
	_, mine := r.log.endOf(leaders)
	r.log.cut(min(at, mine))
	r.hw = min(r.hw, len(r.log.records)) // after an unclean election
}

// sorted are a map's values in the order of their places.
func sorted[V any](m map[place]V) []V {
	var out []V
	for _, at := range slices.SortedFunc(maps.Keys(m), func(a, b place) int {
		return cmp.Or(slices.Compare(a.topic[:], b.topic[:]), cmp.Compare(a.index, b.index))
	}) {
		out = append(out, m[at])
	}
	return out
}

// sortSearch is the first index for which the condition holds, once it does for all later ones.
func sortSearch(n int, holds func(int) bool) int {
	for i := range n {
		if holds(i) {
			return i
		}
	}
	return n
}
