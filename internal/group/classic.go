package group

import (
	"slices"

	"github.com/tidwall/btree"
)

// State is where a classic group is in its round of rebalances.
type State uint8

// The states, and from which others they are reached.
const (
	Empty               State = iota // PreparingRebalance, when all are gone
	PreparingRebalance               // Empty, CompletingRebalance, Stable: members are expected to join
	CompletingRebalance              // PreparingRebalance: the leader is expected to assign
	Stable                           // CompletingRebalance
)

func (s State) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable"}[s]
}

// consumerProtocolType is the protocol type whose subscriptions are understood here, to know what may expire.
const consumerProtocolType = "consumer"

// Group is a classic group, or a simple one: offsets that somebody commits without joining. A group in a shard does not
// change.
type Group struct {
	ID         string
	State      State
	Since      int64 // when State was entered, in milliseconds; -1 where the log does not say
	Generation int32
	// Empty where there is none.
	ProtocolType, Protocol, Leader string

	members  *btree.Map[string, *Member]
	static   *btree.Map[string, string]   // instance id to member id
	pending  *btree.Map[string, int64]    // members that were sent away to come back with their id, and until when
	unsynced *btree.Map[string, struct{}] // members of this generation that did not fetch their assignment yet

	topics      []string // what the members subscribed to, sorted
	topicsKnown bool

	joining  int  // members that wait for their JoinGroup
	initial  bool // the rebalance began from Empty: members are waited for as long as the delay says
	newcomer bool // somebody joined since the initial delay was last set
	// When the join and sync phases end, 0: no timer.
	joinAt, syncAt int64
	// What the initial delay is now, and how much longer it may become.
	joinDelayMs, joinRemainingMs int64
}

// Member is a member of a classic group. It does not change once it is in a shard; see session.
type Member struct {
	group                string
	ID                   string
	InstanceID           *string
	ClientID, ClientHost string
	RebalanceTimeoutMs   int32
	SessionTimeoutMs     int32
	Protocols            []Protocol
	Assignment           []byte

	isNew   bool  // it does not know its id yet
	join    Reply // its parked JoinGroup, if any
	sync    Reply // its parked SyncGroup, if any
	session *session
	timerAt int64 // when the session is looked at next, 0: not at all
}

// Protocol is an assignor that a member offers, with what it tells the leader under it.
type Protocol struct {
	Name     string
	Metadata []byte
}

// session is the one thing that versions of a shard share and that changes: until when a member counts as alive. So a
// heartbeat copies nothing, however large the group. It is touched only where events are decided, and it would be wrong
// to undo it with a failed append: the member was heard of.
type session struct{ deadline int64 }

func (g *Group) clone() *Group {
	c := *g
	c.members = copyMap(g.members)
	c.static = copyMap(g.static)
	c.pending = copyMap(g.pending)
	c.unsynced = copyMap(g.unsynced)
	return &c
}

func copyMap[V any](m *btree.Map[string, V]) *btree.Map[string, V] {
	if m == nil {
		return nil
	}
	return m.Copy()
}

// Size is the number of members.
func (g *Group) Size() int { return length(g.members) }

func length[V any](m *btree.Map[string, V]) int {
	if m == nil {
		return 0
	}
	return m.Len()
}

func get[V any](m *btree.Map[string, V], key string) (value V, ok bool) {
	if m == nil {
		return value, false
	}
	return m.Get(key)
}

func set[V any](m **btree.Map[string, V], key string, value V) {
	if *m == nil {
		*m = new(btree.Map[string, V])
	}
	(*m).Set(key, value)
}

func remove[V any](m *btree.Map[string, V], key string) {
	if m != nil {
		m.Delete(key)
	}
}

func (g *Group) member(id string) (*Member, bool) { return get(g.members, id) }

func (g *Group) isPending(id string) bool {
	_, ok := get(g.pending, id)
	return ok
}

// memberList is the members by id: a list that stays as it is while the group changes.
func (g *Group) memberList() []*Member {
	if g.members == nil {
		return nil
	}
	return g.members.Values()
}

// put adds the member or replaces the one of the same id.
func (g *Group) put(m *Member) {
	if old, ok := g.member(m.ID); ok && old.join != nil {
		g.joining--
	}
	if m.join != nil {
		g.joining++
	}
	set(&g.members, m.ID, m)
	if m.InstanceID != nil {
		set(&g.static, *m.InstanceID, m.ID)
	}
}

// update replaces the member by a copy that f has changed, and gives the copy.
func (g *Group) update(m *Member, f func(*Member)) *Member {
	c := *m
	f(&c)
	g.put(&c)
	return &c
}

// remove forgets the member, joined or pending. A leader that leaves is followed by any other.
func (g *Group) remove(id string) {
	if m, ok := g.member(id); ok {
		if m.join != nil {
			g.joining--
		}
		if m.InstanceID != nil {
			if now, _ := get(g.static, *m.InstanceID); now == id {
				remove(g.static, *m.InstanceID)
			}
		}
		remove(g.members, id)
	}
	if id != "" && g.Leader == id {
		g.Leader = ""
		if first, _, ok := g.firstMember(); ok {
			g.Leader = first
		}
	}
	remove(g.pending, id)
	remove(g.unsynced, id)
}

func (g *Group) firstMember() (string, *Member, bool) {
	if g.members == nil {
		return "", nil, false
	}
	return g.members.Min()
}

// allJoined says whether nobody is waited for in the join phase.
func (g *Group) allJoined() bool {
	return g.Size() == g.joining && length(g.pending) == 0
}

// rebalanceTimeoutMs is the longest that a member needs to rejoin.
func (g *Group) rebalanceTimeoutMs() int64 {
	var longest int32
	for _, m := range g.memberList() {
		longest = max(longest, m.RebalanceTimeoutMs)
	}
	return int64(longest)
}

// supports says whether a member of that type and with one of the protocols fits all others.
func (g *Group) supports(protocolType string, protocols []Protocol) bool {
	if g.State == Empty {
		return protocolType != "" && len(protocols) > 0
	}
	if g.ProtocolType != protocolType {
		return false
	}
	members := g.memberList()
	return slices.ContainsFunc(protocols, func(p Protocol) bool { return offeredByAll(members, p.Name) })
}

func offeredByAll(members []*Member, protocol string) bool {
	for _, m := range members {
		if !m.offers(protocol) {
			return false
		}
	}
	return true
}

// electProtocol is the protocol that most members like best among those that all offer; of equals, the one that was
// voted for first.
func (g *Group) electProtocol() string {
	members := g.memberList()
	candidates := make(map[string]bool)
	votes := make(map[string]int)
	var order []string
	for _, m := range members {
		for _, p := range m.Protocols {
			all, seen := candidates[p.Name]
			if !seen {
				all = offeredByAll(members, p.Name)
				candidates[p.Name] = all
			}
			if all {
				if votes[p.Name] == 0 {
					order = append(order, p.Name)
				}
				votes[p.Name]++
				break
			}
		}
	}
	best := ""
	for _, name := range order {
		if votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

func (g *Group) usesConsumerProtocol() bool { return g.ProtocolType == consumerProtocolType }

// subscribes says whether the group may still want offsets of the topic. What a consumer group subscribed to in a
// format that is not understood could be any topic.
func (g *Group) subscribes(topic string) bool {
	if !g.topicsKnown {
		return g.usesConsumerProtocol()
	}
	_, found := slices.BinarySearch(g.topics, topic)
	return found
}

// refreshTopics reads the subscriptions of the members.
func (g *Group) refreshTopics() {
	g.topics, g.topicsKnown = nil, false
	if !g.usesConsumerProtocol() {
		return
	}
	var topics []string
	if g.Size() > 0 {
		if g.Protocol == "" {
			return
		}
		for _, m := range g.memberList() {
			subscribed, err := subscription(m.metadata(g.Protocol))
			if err != nil {
				return
			}
			topics = append(topics, subscribed...)
		}
	}
	slices.Sort(topics)
	g.topics, g.topicsKnown = slices.Compact(topics), true
}

// enter changes the state.
func (g *Group) enter(s State, now int64) { g.State, g.Since = s, now }

func (m *Member) offers(protocol string) bool {
	return slices.ContainsFunc(m.Protocols, func(p Protocol) bool { return p.Name == protocol })
}

func (m *Member) metadata(protocol string) []byte {
	for _, p := range m.Protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

func (m *Member) matches(protocols []Protocol) bool {
	return slices.EqualFunc(m.Protocols, protocols, func(a, b Protocol) bool {
		return a.Name == b.Name && string(a.Metadata) == string(b.Metadata)
	})
}

// satisfied says whether the member need not be heard of: it waits for an answer, and will come back with its id.
func (m *Member) satisfied() bool { return !m.isNew && (m.join != nil || m.sync != nil) }
