package sim

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/controller"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

// active is the controller's machine while a host leads the quorum: it decides on the newest state, and answers once what it
// decided is committed.
type active struct {
	h      *host
	term   uint64
	state  controller.State
	offset int64 // of the newest state
	parked []parked
}

type parked struct {
	offset int64
	reply  func()
}

func newActive(h *host, term uint64) *active {
	a := &active{h: h, term: term, state: controller.NewState(h.image), offset: h.offset}
	if records := controller.InitialRecords(h.image, a.env()); len(records) > 0 {
		a.append(records)
	}
	a.h.after(100, a.tick)
	a.h.after(500, a.balance)
	for _, other := range h.w.hosts {
		if !other.up && !h.w.cut[h.index][other.index] {
			a.h.after(1+h.w.upTo(50), func() { a.dial(other) })
		}
	}
	return a
}

func (a *active) env() controller.Env {
	w := a.h.w
	return controller.Env{
		Now: w.time(), NewID: func() meta.ID { w.truth.ids++; return meta.ID{0: 'T', 15: w.truth.ids} }, Seed: w.random.Uint64(),
		NextOffset: a.offset, NodeID: a.h.id, KRaftVersion: 1, ClusterID: "cluster", BrokerID: -1, Incarnation: a.h.broker.incarnation,
		SessionTimeout: sessionMillis * 1_000_000, DefaultPartitions: 2, DefaultReplicationFactor: hosts, MinInsyncReplicas: minISR,
		Features: []controller.FeatureRange{{Name: controller.FeatureELR, Min: 0, Max: 1}},
		Finalize: map[string]int16{controller.FeatureELR: 1},
	}
}

func (a *active) leads() bool { return a.h.active == a }

// decided takes over a decision, and answers when it is committed.
func (a *active) decided(d controller.Decision, reply func()) {
	a.state = controller.State{Image: a.state.Image, Soft: d.Soft}
	if len(d.Records) > 0 && !a.append(d.Records) {
		return
	}
	switch {
	case reply == nil:
	case a.offset <= a.h.offset || a.h.w.plan.faults.earlyAnswers:
		reply()
	default:
		a.parked = append(a.parked, parked{a.offset, reply})
	}
}

func (a *active) append(records []meta.Record) bool {
	records = a.h.w.plan.faults.tamper(a.state.Image, records)
	next := a.state.Replay(records...)
	payload := encodeBatch(records)
	if err := a.h.raft.Propose(a.term, payload); err != nil {
		a.h.active = nil // what was decided is not in the log, so nothing more may be decided on it
		return false
	}
	a.state, a.offset = next, a.offset+int64(len(records))
	a.h.w.truth.decided(a.term, a.offset, next.Image)
	return true
}

func (a *active) committed(offset int64) {
	for len(a.parked) > 0 && a.parked[0].offset <= offset {
		reply := a.parked[0].reply
		a.parked = a.parked[1:]
		reply()
	}
}

func (a *active) tick() {
	if a.leads() {
		d, _ := controller.Tick(a.state, a.env())
		a.decided(d, nil)
		a.h.after(100, a.tick)
	}
}

func (a *active) balance() {
	if a.leads() {
		d, _ := controller.Balance(a.state, a.env())
		a.decided(d, nil)
		a.h.after(1_000, a.balance)
	}
}

// dial looks at a broker whose connection ended: one that refuses is gone.
func (a *active) dial(other *host) {
	b, ok := a.state.Image.Broker(other.id)
	if a.leads() && ok && !other.up && !a.h.w.cut[a.h.index][other.index] {
		a.decided(controller.Fence(a.state, b.ID, b.Epoch, a.env()), nil)
	}
}

// lookAt has the active controllers notice that a process is gone.
func (w *world) lookAt(gone *host) {
	for _, h := range w.hosts {
		if a := h.active; h.up && a != nil {
			h.after(1+w.upTo(50), func() { a.dial(gone) })
		}
	}
}

// ask sends a request to whoever this host believes to control, and hears the answer at most once, or never.
func (h *host) ask(request kmsg.Request, answered func(kmsg.Response)) {
	leader := h.raft.Status().Leader
	heard := false
	for _, to := range h.w.hosts {
		if leader != 0 && to.raftID() != leader {
			continue // who hears nothing of Raft asks all of them
		}
		h.w.send(h, to, func() {
			to.decide(h, request, func(r kmsg.Response) {
				if !heard {
					heard = true
					answered(r)
				}
			})
		}, nil)
	}
}

func (h *host) decide(from *host, request kmsg.Request, answered func(kmsg.Response)) {
	a, life := h.active, from.life
	if a == nil {
		return
	}
	d := controller.Decide(a.state, request, a.env())
	h.w.truth.registers(h, request)
	a.decided(d, func() {
		h.w.send(h, from, func() {
			if from.life == life {
				answered(d.Response)
			}
		}, nil)
	})
}

// A batch is its records, each behind its length.
func encodeBatch(records []meta.Record) (b []byte) {
	for _, r := range records {
		record, err := meta.Encode(nil, r, meta.LatestMetadataVersion)
		if err != nil {
			panic(fmt.Sprintf("%+v: %v", r, err))
		}
		b = append(binary.AppendUvarint(b, uint64(len(record))), record...)
	}
	return b
}

func decodeBatch(b []byte) (records []meta.Record, err error) {
	for len(b) > 0 {
		length, n := binary.Uvarint(b)
		r, err := meta.Decode(b[n : n+int(length)])
		if err != nil {
			return nil, err
		}
		records, b = append(records, r), b[n+int(length):]
	}
	return records, nil
}
