package group

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var (
	seeds     = flag.Int("seeds", 12, "how many simulated worlds to run")
	firstSeed = flag.Uint64("seed", 1, "the first of them")
)

// In a simulated world members of a few groups join, sync, heartbeat, commit, die and come back, appends fail, commits
// are late, the shard is reloaded from its log, and time passes. After each step the invariants hold.
func TestInvariantsHoldInSimulatedWorlds(t *testing.T) {
	for i := range *seeds {
		seed := *firstSeed + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			s := newSim(t, seed)
			for range 3_000 {
				s.step()
				s.check()
			}
			s.settle()
		})
	}
}

// sim is a world with versions, as the machine's runtime has them: newest, appended, committed.
type sim struct {
	t      *testing.T
	rng    *rand.Rand
	seed   uint64
	steps  int
	config *Config
	now    time.Time

	newest    *Shard
	committed *Shard
	inFlight  []version
	batch     version // what is decided and not appended, begun on before
	before    *Shard
	log       []Record // what is appended
	logEnd    int      // of which this much is committed

	clients []*client
	nextID  int

	generations map[string]int32          // the newest that a client was told, by group
	assigned    map[string]int32          // the newest that somebody got an assignment in
	leaders     map[string]string         // who was told to lead, by group and generation
	assignments map[string]string         // what the leader assigned, by group, generation and member
	offsets     map[string]int64          // what was acknowledged last, by group
	told        map[string]map[int64]bool // offsets that somebody tried to commit
}

type version struct {
	state   *Shard
	records []Record
	replies []func(error)
}

// client is a consumer that behaves, most of the time.
type client struct {
	group      string
	name       string
	instance   *string
	member     string
	generation int32
	leads      bool
	others     []string
	state      clientState
	version    int16
	epoch      int // counts lives: answers to an earlier one are nobody's
}

type clientState int

const (
	away clientState = iota
	mustJoin
	joining
	mustSync
	syncing
	stable
)

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{
		t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), config: DefaultConfig(), now: time.UnixMilli(1_000_000),
		generations: make(map[string]int32), assigned: make(map[string]int32), leaders: make(map[string]string), assignments: make(map[string]string),
		offsets: make(map[string]int64), told: make(map[string]map[int64]bool),
	}
	s.config.InitialRebalanceDelayMs = int64(s.rng.IntN(3)) * 1_500
	s.config.MaxSize = 3 + s.rng.IntN(4)
	s.newest = NewLoader(s.config).Loaded(s.now)
	s.committed = s.newest
	for i := range 3 + s.rng.IntN(8) {
		c := &client{group: fmt.Sprintf("g%d", i%2), name: fmt.Sprintf("c%d", i), version: int16(s.rng.IntN(10))}
		if s.rng.IntN(3) == 0 && c.version >= 5 {
			name := "static-" + c.name
			c.instance = &name
		}
		s.clients = append(s.clients, c)
	}
	return s
}

func (s *sim) failf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("seed %d, step %d: %s", s.seed, s.steps, fmt.Sprintf(format, args...))
}

func (s *sim) step() {
	s.steps++
	c := s.clients[s.rng.IntN(len(s.clients))]
	switch n := s.rng.IntN(100); {
	case n < 70:
		s.act(c)
	case n < 78:
		s.pass(time.Duration(s.rng.IntN(3_000)) * time.Millisecond)
	case n < 80:
		s.pass(time.Duration(s.rng.IntN(40_000)) * time.Millisecond)
	case n < 82:
		c.state, c.epoch = away, c.epoch+1 // killed; a static one remembers nothing but its instance id
		c.member = ""
	case n < 96:
		s.commitSome(1 + s.rng.IntN(4))
	case n < 97:
		s.reload()
	default:
		s.act(c)
		s.act(c)
	}
}

// act does what the client does next.
func (s *sim) act(c *client) {
	switch c.state {
	case away:
		if s.rng.IntN(4) == 0 {
			c.state = mustJoin
		}
	case mustJoin:
		s.join(c)
	case mustSync:
		s.sync(c)
	case joining, syncing:
		if s.rng.IntN(20) == 0 { // timed out, and asks again
			c.epoch++
			c.state = mustJoin
		}
	case stable:
		switch s.rng.IntN(10) {
		case 0:
			c.state = mustJoin
		case 1:
			s.leave(c)
		case 2, 3:
			s.commit(c)
		default:
			s.heartbeat(c)
		}
	}
}

// submit decides, and appends what there is to append.
func (s *sim) submit(e Event) { s.take(e(s.newest, s.now)); s.timers() }

func (s *sim) timers() {
	for range 1_000 {
		d, next := Timer(s.newest, s.now)
		s.take(d)
		if next.IsZero() || next.After(s.now) {
			return
		}
	}
	s.failf("timers never rest")
}

// take takes a decision as package machine does.
func (s *sim) take(d Decision) {
	if len(d.Records) == 0 && len(s.batch.records) == 0 {
		s.newest = d.State
		if n := len(s.inFlight); n > 0 {
			s.inFlight[n-1].state = d.State
			s.inFlight[n-1].replies = append(s.inFlight[n-1].replies, d.Replies...)
			return
		}
		s.committed = d.State
		answer(d.Replies, nil)
		return
	}
	if len(s.batch.records) == 0 {
		s.before = s.newest
	}
	s.newest = d.State
	for _, change := range d.Records {
		s.newest = Replay(s.newest, change)
		s.batch.records = append(s.batch.records, change...)
	}
	s.batch.replies = append(s.batch.replies, d.Replies...)
	if s.rng.IntN(3) > 0 {
		s.flush()
	}
}

// flush appends what was decided, or fails to.
func (s *sim) flush() {
	b := s.batch
	if s.batch = (version{}); len(b.records) == 0 {
		return
	}
	if s.rng.IntN(10) == 0 {
		s.newest = s.before
		answer(b.replies, kerr.NotEnoughReplicas)
		return
	}
	b.state = s.newest
	s.log = append(s.log, b.records...)
	s.inFlight = append(s.inFlight, b)
}

func answer(replies []func(error), err error) {
	for _, reply := range replies {
		reply(err)
	}
}

func (s *sim) commitSome(n int) {
	s.flush()
	for ; n > 0 && len(s.inFlight) > 0; n-- {
		v := s.inFlight[0]
		s.inFlight = s.inFlight[1:]
		s.committed = v.state
		s.logEnd += len(v.records)
		answer(v.replies, nil)
	}
}

// lose is a lost leadership: nobody here knows whether what is not committed will be. It will not.
func (s *sim) lose() {
	lost := append(s.inFlight, s.batch)
	s.inFlight, s.batch = nil, version{}
	s.log = s.log[:s.logEnd]
	for _, v := range lost {
		answer(v.replies, kerr.NotCoordinator)
	}
}

// reload makes the shard anew from the committed log. Parked requests are gone with the old one, and told so. A
// generation that nobody synced in is in no record, so its number is given out again.
func (s *sim) reload() {
	s.lose()
	clear(s.generations)
	clear(s.leaders)
	for _, c := range s.clients {
		if c.state == joining || c.state == syncing {
			c.state, c.epoch = mustJoin, c.epoch+1
		}
	}
	l := NewLoader(s.config)
	for _, r := range s.log {
		key, value := Encode(r)
		decoded, err := Decode(key, value, NoProducer)
		if err != nil {
			s.failf("decode %v: %v", r, err)
		}
		l.Replay(decoded)
	}
	s.newest = l.Loaded(s.now)
	s.committed = s.newest
	s.timers()
}

func (s *sim) pass(d time.Duration) {
	end := s.now.Add(d)
	for {
		s.timers()
		_, next := Timer(s.newest, s.now)
		if next.IsZero() || next.After(end) {
			break
		}
		s.now = next
	}
	s.now = end
}

func (s *sim) join(c *client) {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.MemberID, r.InstanceID, r.ProtocolType = c.version, c.group, c.member, c.instance, "consumer"
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 10_000, 30_000
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte{byte(s.rng.IntN(2))}}, {Name: "sticky"}}
	s.nextID++
	c.state = joining
	epoch := c.epoch
	s.submit(Join(r, Caller{ClientID: c.name}, fmt.Sprint(s.nextID), func(response kmsg.Response) {
		if c.epoch == epoch && c.state == joining {
			s.joined(c, response.(*kmsg.JoinGroupResponse))
		}
	}))
}

func (s *sim) joined(c *client, r *kmsg.JoinGroupResponse) {
	c.state = mustJoin
	switch r.ErrorCode {
	case kerr.MemberIDRequired.Code:
		c.member = r.MemberID
	case kerr.UnknownMemberID.Code, kerr.FencedInstanceID.Code:
		c.member = ""
	case 0:
		c.member, c.generation, c.leads, c.state = r.MemberID, r.Generation, r.LeaderID == r.MemberID, mustSync
		key := fmt.Sprintf("%s/%d", c.group, r.Generation)
		if newest := s.generations[c.group]; r.Generation < newest {
			s.failf("%s was told generation %d of %s after %d", c.name, r.Generation, c.group, newest)
		}
		s.generations[c.group] = r.Generation
		if r.SkipAssignment {
			c.leads = false
		}
		if c.leads {
			c.others = nil
			for _, m := range r.Members {
				c.others = append(c.others, m.MemberID)
			}
			if !slices.Contains(c.others, c.member) {
				s.failf("leader %s is not among the members %v", c.member, c.others)
			}
			if other, ok := s.leaders[key]; ok && other != c.name {
				s.failf("both %s and %s lead %s", other, c.name, key)
			}
			s.leaders[key] = c.name
		}
	}
}

func (s *sim) sync(c *client) {
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.MemberID, r.InstanceID, r.Generation = 4, c.group, c.member, c.instance, c.generation
	if c.leads {
		s.nextID++
		for _, m := range c.others {
			r.GroupAssignment = append(r.GroupAssignment, kmsg.SyncGroupRequestGroupAssignment{
				MemberID: m, MemberAssignment: fmt.Appendf(nil, "%s/%d/%d", c.group, c.generation, s.nextID),
			})
		}
	}
	c.state = syncing
	epoch := c.epoch
	s.submit(Sync(r, func(response kmsg.Response) {
		if c.epoch == epoch && c.state == syncing {
			s.synced(c, response.(*kmsg.SyncGroupResponse))
		}
	}))
}

// synced checks that all members of a generation hear of the same assignment: there was one that was written.
func (s *sim) synced(c *client, r *kmsg.SyncGroupResponse) {
	c.state = mustJoin
	switch r.ErrorCode {
	case kerr.UnknownMemberID.Code, kerr.FencedInstanceID.Code:
		c.member = ""
	case 0:
		c.state = stable
		if len(r.MemberAssignment) == 0 {
			return // it came between the leader's JoinGroup and its SyncGroup
		}
		key := fmt.Sprintf("%s/%d", c.group, c.generation)
		if old, ok := s.assignments[key]; ok && old != string(r.MemberAssignment) {
			s.failf("in %s %s was told %q, others %q", key, c.name, r.MemberAssignment, old)
		}
		s.assignments[key] = string(r.MemberAssignment)
		if newest := s.assigned[c.group]; c.generation < newest {
			s.failf("%s was assigned in generation %d of %s after %d", c.name, c.generation, c.group, newest)
		}
		s.assigned[c.group] = c.generation
	}
}

func (s *sim) heartbeat(c *client) {
	r := kmsg.NewPtrHeartbeatRequest()
	r.Group, r.MemberID, r.InstanceID, r.Generation = c.group, c.member, c.instance, c.generation
	epoch := c.epoch
	s.submit(Heartbeat(r, func(response kmsg.Response) {
		if code := response.(*kmsg.HeartbeatResponse).ErrorCode; c.epoch == epoch && c.state == stable && code != 0 {
			c.state = mustJoin
			if code == kerr.UnknownMemberID.Code || code == kerr.FencedInstanceID.Code {
				c.member = ""
			}
		}
	}))
}

func (s *sim) leave(c *client) {
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version, r.Group = 3, c.group
	r.Members = []kmsg.LeaveGroupRequestMember{{MemberID: c.member, InstanceID: c.instance}}
	c.state, c.epoch, c.member = away, c.epoch+1, ""
	s.submit(Leave(r, func(kmsg.Response) {}))
}

func (s *sim) commit(c *client) {
	s.nextID++
	offset := int64(s.nextID)
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group, r.MemberID, r.InstanceID, r.Generation = 8, c.group, c.member, c.instance, c.generation
	r.Topics = []kmsg.OffsetCommitRequestTopic{{
		Topic: "t", Partitions: []kmsg.OffsetCommitRequestTopicPartition{{Offset: offset, LeaderEpoch: -1}},
	}}
	if s.told[c.group] == nil {
		s.told[c.group] = make(map[int64]bool)
	}
	s.told[c.group][offset] = true
	s.submit(Commit(r, func(response kmsg.Response) {
		if response.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode == 0 {
			s.offsets[c.group] = offset
		}
	}))
}

// check looks at the newest and the committed version.
func (s *sim) check() {
	for _, shard := range []*Shard{s.newest, s.committed} {
		for g := range shard.Groups() {
			s.checkGroup(shard, g)
		}
	}
	for group, offset := range s.offsets {
		o := s.committed.offset(group, "t", 0)
		if o == nil || o.Offset < offset {
			s.failf("%s: acknowledged offset %d is not there: %+v", group, offset, o)
		}
		if !s.told[group][o.Offset] {
			s.failf("%s: nobody committed %d", group, o.Offset)
		}
	}
}

func (s *sim) checkGroup(shard *Shard, g *Group) {
	joining, statics := 0, 0
	for _, m := range g.memberList() {
		if m.join != nil {
			joining++
		}
		if m.join != nil && m.sync != nil {
			s.failf("%s waits for two answers", m.ID)
		}
		if m.InstanceID != nil {
			statics++
			if now, _ := get(g.static, *m.InstanceID); now != m.ID {
				s.failf("instance %s is %s, not %s", *m.InstanceID, now, m.ID)
			}
		}
		if !m.satisfied() && m.timerAt == 0 {
			s.failf("%s of %s (%s) lives for ever", m.ID, g.ID, g.State)
		}
		if m.timerAt != 0 {
			if _, armed := shard.timers.Get(timer{m.timerAt, g.ID, sessionTimer, m.ID}); !armed {
				s.failf("the timer of %s is not armed", m.ID)
			}
		}
	}
	_, leader := g.member(g.Leader)
	switch {
	case joining != g.joining:
		s.failf("%s: %d members wait, %d counted", g.ID, joining, g.joining)
	case statics != length(g.static):
		s.failf("%s: %d static members, %d instance ids", g.ID, statics, length(g.static))
	case g.Size() > 0 && !leader:
		s.failf("%s: nobody leads", g.ID)
	case (g.State == Empty) != (g.Size() == 0) && g.State != PreparingRebalance:
		s.failf("%s: %s with %d members", g.ID, g.State, g.Size())
	case g.State != PreparingRebalance && joining > 0:
		s.failf("%s: %s while %d members wait to join", g.ID, g.State, joining)
	case g.State == PreparingRebalance && g.joinAt == 0:
		s.failf("%s: the rebalance never ends", g.ID)
	case g.State == CompletingRebalance && length(g.unsynced) > 0 && g.syncAt == 0:
		s.failf("%s: the sync phase never ends", g.ID)
	}
}

// settle ends the world: with nobody acting, all groups are empty in the end, and nobody waits.
func (s *sim) settle() {
	s.pass(20 * time.Minute)
	for range 100 {
		s.commitSome(100)
		s.pass(10 * time.Minute)
	}
	s.commitSome(100)
	s.check()
	for g := range s.newest.Groups() {
		if g.State != Empty || length(g.pending) > 0 {
			s.failf("%s is %s at the end, with %d members and %d pending", g.ID, g.State, g.Size(), length(g.pending))
		}
	}
	for _, c := range s.clients {
		if c.state == joining || c.state == syncing {
			s.failf("%s was never answered", c.name)
		}
	}
	if n := s.newest.timers.Len(); n > 0 {
		s.failf("%d timers are left", n)
	}
}
