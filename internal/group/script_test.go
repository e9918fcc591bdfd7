package group

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

var rewrite = flag.Bool("rewrite", false, "write what the scripts in testdata answer now")

// Each file in testdata is a conversation with one shard: commands, then "----" and what they led to, up to an empty
// line. Lines with # are comments.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(DefaultConfig())
	var out strings.Builder
	for _, block := range strings.Split(strings.TrimRight(string(text), "\n"), "\n\n") {
		commands, want, _ := strings.Cut(block, "\n----")
		w.out.Reset()
		for line := range strings.Lines(commands) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				w.run(t, line)
			}
		}
		got := strings.TrimRight(w.out.String(), "\n")
		if want = strings.Trim(want, "\n"); got != want && !*rewrite {
			t.Errorf("%s:\n%s\n---- want\n%s\n---- got\n%s\n", file, commands, want, got)
		}
		out.WriteString(commands)
		if got != "" {
			out.WriteString("\n----\n" + got)
		}
		out.WriteString("\n\n")
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// world runs one shard by hand: every decision is appended and committed at once, unless the script says otherwise.
type world struct {
	shard   *Shard
	config  *Config
	now     time.Time
	log     []Record
	nextID  int
	failing error
	out     strings.Builder
}

func newWorld(config *Config) *world {
	w := &world{config: config, now: time.UnixMilli(1_000_000)}
	w.shard = NewLoader(config).Loaded(w.now)
	return w
}

func (w *world) printf(format string, args ...any) { fmt.Fprintf(&w.out, format+"\n", args...) }

func (w *world) submit(e Event) {
	w.take(e(w.shard, w.now))
	w.timers()
}

func (w *world) timers() {
	for range 100 {
		d, next := Timer(w.shard, w.now)
		w.take(d)
		if next.IsZero() || next.After(w.now) {
			return
		}
	}
	panic("timers never rest")
}

func (w *world) take(d Decision) {
	if len(d.Records) > 0 && w.failing != nil {
		for _, reply := range d.Replies {
			reply(w.failing)
		}
		return
	}
	w.shard = d.State
	for _, change := range d.Records {
		for _, r := range change {
			key, value := Encode(r)
			decoded, err := Decode(key, value, NoProducer)
			if err != nil {
				panic(err)
			}
			w.log = append(w.log, decoded)
			w.printf("  write %s", recordText(r))
		}
		w.shard = Replay(w.shard, change)
	}
	for _, reply := range d.Replies {
		reply(nil)
	}
}

// advance lets time pass, from one due time to the next.
func (w *world) advance(d time.Duration) {
	end := w.now.Add(d)
	for {
		w.timers()
		_, next := Timer(w.shard, w.now)
		if next.IsZero() || next.After(end) {
			break
		}
		w.now = next
		before := w.out.String()
		w.timers()
		if happened := strings.TrimPrefix(w.out.String(), before); happened != "" {
			w.out.Reset()
			w.out.WriteString(before)
			w.printf("  after %s", next.Sub(end.Add(-d)))
			w.out.WriteString(happened)
		}
	}
	w.now = end
}

func recordText(r Record) string {
	switch r := r.(type) {
	case OffsetRecord:
		if r.Offset == nil {
			return fmt.Sprintf("offset %s %s-%d gone", r.Group, r.Topic, r.Partition)
		}
		s := fmt.Sprintf("offset %s %s-%d = %d", r.Group, r.Topic, r.Partition, r.Offset.Offset)
		if r.Offset.ExpiresAt != -1 {
			s += fmt.Sprintf(" until %d", r.Offset.ExpiresAt)
		}
		return s
	case GroupRecord:
		if r.Value == nil {
			return fmt.Sprintf("group %s gone", r.Group)
		}
		s := fmt.Sprintf("group %s generation %d type %q protocol %q leader %q", r.Group, r.Value.Generation,
			r.Value.ProtocolType, text(r.Value.Protocol), text(r.Value.Leader))
		for _, m := range r.Value.Members {
			s += fmt.Sprintf(" | %s %q → %q", m.MemberID, m.Subscription, m.Assignment)
		}
		return s
	default:
		return fmt.Sprintf("%#v", r)
	}
}

// arguments are the words of a command: name=value, or values by position.
type arguments struct {
	t     *testing.T
	words []string
	named map[string]string
}

func parse(t *testing.T, line string) arguments {
	a := arguments{t: t, named: make(map[string]string)}
	for _, w := range strings.Fields(line) {
		if name, value, ok := strings.Cut(w, "="); ok {
			a.named[name] = strings.Trim(value, `"`)
		} else {
			a.words = append(a.words, w)
		}
	}
	return a
}

func (a arguments) word(i int) string {
	if i >= len(a.words) {
		a.t.Fatalf("%v: word %d is missing", a.words, i)
	}
	return strings.Trim(a.words[i], `"`)
}

func (a arguments) text(name string) string { return a.named[name] }

func (a arguments) number(name string, otherwise int) int {
	v, ok := a.named[name]
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		a.t.Fatal(err)
	}
	return n
}

func (a arguments) ms(name string, otherwise time.Duration) int32 {
	if v, ok := a.named[name]; ok {
		d, err := time.ParseDuration(v)
		if err != nil {
			a.t.Fatal(err)
		}
		otherwise = d
	}
	return int32(otherwise.Milliseconds())
}

func (a arguments) optional(name string) *string {
	if v, ok := a.named[name]; ok {
		return &v
	}
	return nil
}

func codeText(code int16) string {
	if code == 0 {
		return "ok"
	}
	return kerr.ErrorForCode(code).(*kerr.Error).Message
}

// split gives the pieces of a list: a,b:x,c.
func split(s string) [][2]string {
	var out [][2]string
	for _, piece := range strings.Split(s, ",") {
		if piece == "" {
			continue
		}
		name, value, _ := strings.Cut(piece, ":")
		out = append(out, [2]string{name, value})
	}
	return out
}

func (w *world) run(t *testing.T, line string) {
	a := parse(t, line)
	switch command := a.word(0); command {
	case "wait":
		d, err := time.ParseDuration(a.word(1))
		if err != nil {
			t.Fatal(err)
		}
		w.advance(d)
	case "appends-fail":
		w.failing = fmt.Errorf("append: %w", kerr.NotEnoughReplicas)
	case "appends-work":
		w.failing = nil
	case "set":
		limit := a.number("max-record", w.config.MaxRecordBytes())
		w.config.MaxRecordBytes = func() int { return limit }
		w.config.MaxSize = a.number("max-size", w.config.MaxSize)
		w.config.InitialRebalanceDelayMs = int64(a.ms("initial-delay", 3*time.Second))
	case "reload":
		w.reload()
	case "raw":
		w.raw(a)
	case "marker":
		w.shard = Replay(w.shard, Change{MarkerRecord{ProducerID: int64(a.number("producer", 0)), Committed: a.word(1) == "commit"}})
	default:
		w.request(t, command, a)
	}
}

func (w *world) reload() {
	l := NewLoader(w.config)
	for _, r := range w.log {
		l.Replay(r)
	}
	w.shard = l.Loaded(w.now)
	w.timers()
}

// raw replays a record that only other writers write: an offset in a transaction, a group of another kind.
func (w *world) raw(a arguments) {
	var r Record
	switch a.word(1) {
	case "pending":
		o := &Offset{Group: a.word(2), Topic: a.word(3), Offset: int64(a.number("offset", 0)), ExpiresAt: -1}
		r = OffsetRecord{Group: o.Group, Topic: o.Topic, Offset: o, ProducerID: int64(a.number("producer", 0))}
	case "consumer":
		r = KindRecord{Group: a.word(2), Kind: Consumer, Live: a.text("live") != "no"}
	}
	w.log = append(w.log, r)
	w.shard = Replay(w.shard, Change{r})
}

var errNoSuchCommand = errors.New("no such command")

func (w *world) request(t *testing.T, command string, a arguments) {
	reply := func(r kmsg.Response) {
		w.printf("%s: %s", strings.TrimSpace(command+" "+a.text("as")), responseText(r))
	}
	switch command {
	case "join":
		if a.text("member") == "" {
			w.nextID++
		}
		w.submit(Join(joinOf(a), Caller{ClientID: a.text("client"), ClientHost: "/127.0.0.1"}, strconv.Itoa(w.nextID), reply))
	case "sync":
		w.submit(Sync(syncOf(a), reply))
	case "heartbeat":
		r := kmsg.NewPtrHeartbeatRequest()
		r.Group, r.MemberID, r.InstanceID = a.word(1), a.text("member"), a.optional("instance")
		r.Generation = int32(a.number("generation", -1))
		w.submit(Heartbeat(r, reply))
	case "leave":
		w.submit(Leave(leaveOf(a), reply))
	case "commit":
		w.submit(Commit(commitOf(a), reply))
	case "fetch":
		w.fetch(a)
	case "describe":
		w.printf("%s", describeText(w.shard.Describe(a.word(1), int16(a.number("v", 6)))))
	case "list":
		var states, types []string
		for _, s := range split(a.text("states")) {
			states = append(states, s[0])
		}
		for _, s := range split(a.text("types")) {
			types = append(types, s[0])
		}
		for _, g := range w.shard.List(states, types) {
			w.printf("%s %s %q %s", g.Group, g.GroupState, g.ProtocolType, g.GroupType)
		}
	case "delete":
		w.submit(DeleteGroups(a.words[1:], func(d Deleted, err error) {
			for _, r := range d.Results {
				w.printf("delete %s: %s", r.Group, codeText(r.ErrorCode))
			}
		}))
	case "offset-delete":
		r := kmsg.NewPtrOffsetDeleteRequest()
		r.Group = a.word(1)
		r.Topics = []kmsg.OffsetDeleteRequestTopic{{Topic: a.word(2), Partitions: []kmsg.OffsetDeleteRequestTopicPartition{{}}}}
		w.submit(DeleteOffsets(r, reply))
	case "forget-topic":
		topic := Topic{Name: a.word(1), ID: topicID(a)}
		w.submit(ForgetTopics([]Topic{topic}, nil, func(*Offset, error) {}))
	default:
		t.Fatal(fmt.Errorf("%s: %w", command, errNoSuchCommand))
	}
}

func topicID(a arguments) (id [16]byte) {
	id[0] = byte(a.number("id", 0))
	return id
}

func (w *world) fetch(a arguments) {
	r := kmsg.NewOffsetFetchRequestGroup()
	r.Group = a.word(1)
	if len(a.words) > 2 {
		r.Topics = []kmsg.OffsetFetchRequestGroupTopic{{Topic: a.word(2), TopicID: topicID(a), Partitions: []int32{0}}}
	}
	tell := func(g *kmsg.OffsetFetchResponseGroup, err error) {
		if g.ErrorCode != 0 || len(g.Topics) == 0 {
			w.printf("fetch: %s, nothing", codeText(g.ErrorCode))
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				w.printf("fetch: %s-%d = %d %q %s", t.Topic, p.Partition, p.Offset, text(p.Metadata), codeText(p.ErrorCode))
			}
		}
	}
	if a.text("stable") != "" {
		w.submit(FetchStable(&r, tell))
	} else {
		tell(w.shard.FetchOffsets(&r), nil)
	}
}

func joinOf(a arguments) *kmsg.JoinGroupRequest {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version = int16(a.number("v", 9))
	r.Group, r.MemberID, r.InstanceID = a.word(1), a.text("member"), a.optional("instance")
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = a.ms("session", 10*time.Second), a.ms("rebalance", 60*time.Second)
	r.ProtocolType = "consumer"
	if v, ok := a.named["type"]; ok {
		r.ProtocolType = v
	}
	protocols, ok := a.named["protocols"]
	if !ok {
		protocols = "range:m"
	}
	for _, p := range split(protocols) {
		metadata := []byte(p[1])
		if topic, ok := strings.CutPrefix(p[1], "reads/"); ok {
			metadata = (&kmsg.ConsumerMemberMetadata{Topics: []string{topic}}).AppendTo(nil)
		}
		r.Protocols = append(r.Protocols, kmsg.JoinGroupRequestProtocol{Name: p[0], Metadata: metadata})
	}
	return r
}

func syncOf(a arguments) *kmsg.SyncGroupRequest {
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version = int16(a.number("v", 4))
	r.Group, r.MemberID, r.InstanceID = a.word(1), a.text("member"), a.optional("instance")
	r.Generation = int32(a.number("generation", 1))
	r.ProtocolType, r.Protocol = a.optional("type"), a.optional("protocol")
	for _, p := range split(a.text("assign")) {
		r.GroupAssignment = append(r.GroupAssignment,
			kmsg.SyncGroupRequestGroupAssignment{MemberID: p[0], MemberAssignment: []byte(p[1])})
	}
	return r
}

func leaveOf(a arguments) *kmsg.LeaveGroupRequest {
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version = int16(a.number("v", 5))
	r.Group, r.MemberID = a.word(1), a.text("member")
	for _, m := range split(a.text("members")) {
		member := kmsg.LeaveGroupRequestMember{MemberID: m[0]}
		if m[1] != "" {
			member.InstanceID = &m[1]
		}
		r.Members = append(r.Members, member)
	}
	return r
}

func commitOf(a arguments) *kmsg.OffsetCommitRequest {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version = int16(a.number("v", 8))
	r.Group, r.MemberID, r.InstanceID = a.word(1), a.text("member"), a.optional("instance")
	r.Generation = int32(a.number("generation", -1))
	if ms := a.ms("retention", -time.Millisecond); ms != -1 {
		r.RetentionTimeMillis = int64(ms)
	}
	metadata := strings.Repeat("x", a.number("metadata", 0))
	r.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: a.word(2), TopicID: topicID(a), Partitions: []kmsg.OffsetCommitRequestTopicPartition{
		{Offset: int64(a.number("offset", 0)), LeaderEpoch: -1, Timestamp: -1, Metadata: &metadata},
	}}}
	return r
}

func responseText(r kmsg.Response) string {
	switch r := r.(type) {
	case *kmsg.JoinGroupResponse:
		if r.ErrorCode != 0 {
			return strings.TrimSpace(codeText(r.ErrorCode) + " " + r.MemberID)
		}
		s := fmt.Sprintf("%s in generation %d of %q, protocol %q, leader %s", r.MemberID, r.Generation,
			text(r.ProtocolType), text(r.Protocol), r.LeaderID)
		if r.SkipAssignment {
			s += ", need not assign"
		}
		for _, m := range r.Members {
			s += fmt.Sprintf(" | %s %q", m.MemberID, m.ProtocolMetadata)
		}
		return s
	case *kmsg.SyncGroupResponse:
		if r.ErrorCode != 0 {
			return codeText(r.ErrorCode)
		}
		return fmt.Sprintf("%q of %q, protocol %q", r.MemberAssignment, text(r.ProtocolType), text(r.Protocol))
	case *kmsg.HeartbeatResponse:
		return codeText(r.ErrorCode)
	case *kmsg.LeaveGroupResponse:
		s := codeText(r.ErrorCode)
		for _, m := range r.Members {
			s += fmt.Sprintf(" | %s%s %s", m.MemberID, text(m.InstanceID), codeText(m.ErrorCode))
		}
		return s
	case *kmsg.OffsetCommitResponse:
		return codeText(r.Topics[0].Partitions[0].ErrorCode)
	case *kmsg.OffsetDeleteResponse:
		if r.ErrorCode != 0 {
			return codeText(r.ErrorCode)
		}
		return codeText(r.Topics[0].Partitions[0].ErrorCode)
	default:
		return fmt.Sprintf("%T", r)
	}
}

func describeText(d kmsg.DescribeGroupsResponseGroup) string {
	s := fmt.Sprintf("%s: %s %s type %q protocol %q", d.Group, codeText(d.ErrorCode), d.State, d.ProtocolType, d.Protocol)
	if d.ErrorMessage != nil {
		s += " (" + *d.ErrorMessage + ")"
	}
	for _, m := range d.Members {
		s += fmt.Sprintf(" | %s %s %s %q → %q", m.MemberID, m.ClientID, m.ClientHost, m.ProtocolMetadata, m.MemberAssignment)
	}
	return s
}
