package sim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/quorum"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

const raftDir = "/data/raft"

// host is a machine with a node on it: a member of the quorum, a controller while that leads, and a broker.
type host struct {
	w         *world
	index     int
	id        int32
	disk      *vfs.Mem
	directory meta.ID
	disks     byte // how many it has had
	logs      map[place]*log
	lastEpoch int64 // of the broker, as long as its logs are known to be whole; else -1

	unwanted bool // as a voter

	up     bool
	life   int
	frozen int64 // until then the process stands still
	raft   *quorum.Node
	steps  *quorum.Steps
	due    [3]bool // the appender, the applier and the builder have an appointment
	// wholeSince is when it came to know that all disks vote and nobody else does, -1 while it does not.
	wholeSince int64

	// The owner of the quorum's entries.
	image   *meta.Image
	offset  int64 // of the metadata log's end
	applied uint64
	active  *active // nil: it does not lead
	broker  *broker
}

func newHost(w *world, index int) *host {
	h := &host{w: w, index: index, id: int32(index + 1)}
	h.emptyDisk()
	return h
}

func (h *host) emptyDisk() {
	if h.disks == 0 || !h.w.plan.faults.oldIdentity {
		h.disks++
	}
	h.disk, h.logs, h.lastEpoch = vfs.NewMem(), map[place]*log{}, -1
	h.directory = meta.ID{0: 'D', 1: h.disks, 15: byte(100 + h.id)}
	if err := errors.Join(h.disk.MkdirAll("/data", 0o755), h.disk.SyncDir("/")); err != nil {
		panic(err)
	}
}

func (h *host) raftID() uint64 { return quorum.RaftID(h.directory) }

// run has the process do something, when it does not stand still.
func (h *host) run(do func()) {
	if h.w.now < h.frozen {
		life := h.life
		h.w.after(h.frozen-h.w.now, func() {
			if h.up && h.life == life {
				h.run(do)
			}
		})
		return
	}
	do()
	h.work()
}

// after is something that this process does later, if it lives.
func (h *host) after(millis int64, do func()) {
	life := h.life
	h.w.after(millis, func() {
		if h.up && h.life == life {
			h.run(do)
		}
	})
}

func (h *host) start() {
	h.life++
	h.up, h.frozen, h.due, h.wholeSince = true, 0, [3]bool{}, -1
	h.image, h.offset, h.applied, h.active = meta.Empty(), 0, 0, nil
	raft, err := quorum.Open(h.options())
	if err != nil {
		h.w.fail("host %d does not start: %v", h.id, err)
		h.up = false
		return
	}
	h.w.say("host %d starts, life %d", h.id, h.life)
	h.raft, h.steps = raft, raft.Steps()
	h.broker = newBroker(h)
	h.after(1+h.w.upTo(tickEvery), h.tick)
	h.work()
}

func (h *host) options() quorum.Options {
	var fs vfs.FS = h.disk
	if h.w.plan.faults.lazyDisk {
		fs = vfs.WithoutSyncs(fs, vfs.Mutation{Kind: vfs.OpSync, Pattern: "*.raft"})
	}
	return quorum.Options{
		FS: fs, Dir: raftDir, DirectoryID: h.directory, Transport: h, Logger: silent,
		Bootstrap: h.bootstrap, Restore: h.restore, Apply: h.apply, Snapshot: h.snapshot, Leadership: h.leadership,
		Failed:        func(err error) { h.w.fail("host %d: %v", h.id, err) },
		SnapshotBytes: 4_000, SnapshotInterval: math.MaxInt64, QuietBytes: math.MaxInt64, SegmentBytes: 2_000,
	}
}

// bootstrap lets the first disks begin as the voters, and every other one as nobody.
func (h *host) bootstrap() (quorum.Bootstrap, error) {
	if h.disks > 1 {
		return quorum.Bootstrap{Joins: true}, nil
	}
	b := quorum.Bootstrap{Contexts: map[uint64][]byte{}}
	for _, other := range h.w.hosts {
		first := meta.ID{0: 'D', 1: 1, 15: byte(100 + other.id)}
		id := quorum.RaftID(first)
		b.Voters = append(b.Voters, id)
		b.Contexts[id] = memberOf(other.id, first).Encode()
	}
	return b, nil
}

func (h *host) tick() {
	h.steps.Tick()
	h.after(tickEvery, h.tick)
}

// work lets the driver take in what waits, and gives the other parts an appointment.
func (h *host) work() {
	for h.up && h.w.wrong == nil {
		driver, appender, applier, builder := h.steps.Waiting()
		h.appoint(0, appender, h.steps.Append)
		h.appoint(1, applier, h.steps.Apply)
		h.appoint(2, builder, h.steps.Build)
		if !driver {
			break
		}
		h.steps.Drive()
	}
	if h.up {
		h.w.truth.sees(h, h.raft.Status())
	}
}

func (h *host) appoint(part int, waits bool, do func()) {
	if !waits || h.due[part] {
		return
	}
	h.due[part] = true
	delay := h.w.upTo(3)
	if h.w.chance(2) && !h.w.calm {
		delay = h.w.upTo(300)
	}
	h.after(delay, func() {
		h.due[part] = false
		do()
	})
}

// halt is the end of the process.
func (h *host) halt() {
	if h.up {
		h.up = false
		h.steps.Halt()
		h.active = nil
	}
}

func (h *host) kill() {
	h.w.say("host %d is killed", h.id)
	h.w.counts.crashes++
	h.halt()
	h.disk = h.disk.Kill()
	h.w.lookAt(h)
}

// cutPower loses what was not synced, which is most of what brokers have written lately.
func (h *host) cutPower() {
	h.w.say("host %d loses power", h.id)
	h.w.counts.crashes++
	h.halt()
	h.disk = h.disk.Crash(h.w.random)
	for _, l := range sorted(h.logs) {
		l.crash(h.w)
	}
	if !h.w.plan.faults.alwaysClean {
		h.lastEpoch = -1
	}
	h.w.lookAt(h)
}

// Send is the quorum's way to other hosts. A message is for a member: whoever has another disk now does not take it.
func (h *host) Send(messages []*raftpb.Message) {
	for _, m := range messages {
		for _, to := range h.w.hosts {
			if to.raftID() == m.GetTo() {
				h.deliver(to, m)
			}
		}
	}
}

func (h *host) deliver(to *host, m *raftpb.Message) {
	id, snapshot := m.GetTo(), m.GetType() == raftpb.MsgSnap
	sent := proto.Clone(m).(*raftpb.Message)
	gone := func() { h.raft.ReportUnreachable(id) }
	if snapshot && (!to.up || h.w.cut[h.index][to.index]) {
		h.after(20, gone)
		return
	}
	if snapshot {
		h.after(30, func() { h.raft.ReportSnapshot(id, true) })
	}
	h.w.send(h, to, func() {
		if to.raftID() == id {
			to.raft.Step(proto.Clone(sent).(*raftpb.Message))
		}
	}, gone)
}

func (h *host) restore(s quorum.Snapshot) error {
	h.active = nil
	h.image, h.offset, h.applied = meta.Empty(), 0, s.Index
	if len(s.Data) == 0 {
		return nil
	}
	c := h.w.truth.checkpoints[binary.BigEndian.Uint64(s.Data)]
	if c.index != s.Index {
		h.w.fail("host %d: the snapshot at %d names a checkpoint at %d", h.id, s.Index, c.index)
	}
	h.image, h.offset = c.image, c.offset
	return nil
}

func (h *host) snapshot(index, _ uint64) func() ([]byte, error) {
	c := checkpoint{index, h.offset, h.image}
	return func() ([]byte, error) {
		h.w.counts.snapshots++
		h.w.truth.checkpoints = append(h.w.truth.checkpoints, c)
		return binary.BigEndian.AppendUint64(nil, uint64(len(h.w.truth.checkpoints)-1)), nil
	}
}

// apply takes a committed entry: a batch of metadata records.
func (h *host) apply(e quorum.Entry) error {
	if e.Index != h.applied+1 {
		h.w.fail("host %d applies entry %d after %d", h.id, e.Index, h.applied)
	}
	h.applied = e.Index
	before := h.image
	if len(e.Payload) > 0 {
		records, err := decodeBatch(e.Payload)
		if err != nil {
			return err
		}
		if h.image, err = h.image.Apply(records...); err != nil {
			return fmt.Errorf("entry %d: %w", e.Index, err)
		}
		h.offset += int64(len(records))
	}
	h.w.truth.committed(h, e, before)
	h.broker.published()
	if h.active != nil {
		h.active.committed(h.offset)
	}
	return nil
}

func (h *host) leadership(leads bool, term uint64) {
	h.active = nil
	if leads {
		h.w.say("host %d controls in term %d", h.id, term)
		h.w.counts.leaders++
		h.active = newActive(h, term)
	}
}

func (w *world) time() time.Time {
	return time.Unix(1_000, 0).Add(time.Duration(w.now) * time.Millisecond)
}
