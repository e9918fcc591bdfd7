package api

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/replica"
	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/wire"
)

// Fetch (key 1) gives out records. When fewer than min bytes can be read it waits, at most for max wait, and is woken by
// what is appended. At least one batch is given even if it is larger than the limits (KIP-74), so that a consumer
// always gets on.
//
// Versions 0–18. 0–3 want the old formats, so batches are converted down. 4: isolation level, last stable offset,
// aborted transactions. 5: log start offset. 7: sessions (KIP-227). 9: leader epoch checks (KIP-320). 11: rack. 12:
// diverging epochs. 13: topic ids. 15: the replica's state in a tag. 16: the current leader in errors (KIP-951). 18:
// the follower's high watermark (KIP-1166).
func (b *Broker) fetch(r *Request) Result {
	req := r.Body.(*kmsg.FetchRequest)
	f := &fetching{broker: b, request: r, req: req, level: fetchLevel(req)}
	f.selects = req.Rack != "" && config.ReplicaSelectorClass.Of(b.Config()) == config.RackAwareSelector
	if id := fetchReplica(req); id >= 0 && !b.ServesFollowers() {
		f.stranger = fmt.Errorf("replica %d: %w", id, kerr.NotLeaderForPartition)
	} else if id < -1 && req.Version >= 12 && req.Version <= 14 {
		return Result{Close: fmt.Errorf("fetch by replica %d", id)}
	}
	if req.IsolationLevel != 0 && req.IsolationLevel != 1 {
		return f.refuse(kerr.UnknownServerError)
	}
	context, err := b.FetchSessions.begin(req, f.asked(), f.forgotten(), r.Received)
	if err != nil {
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		resp.ErrorCode = b.code(err, kerr.FetchSessionIDNotFound, "fetch")
		return respond(resp)
	}
	f.context = context
	f.minBytes = min(int(req.MinBytes), f.limit())
	f.collect()
	if f.ready() || req.MaxWaitMillis <= 0 {
		return f.answer(f.encode)
	}
	return f.park(time.Duration(req.MaxWaitMillis) * time.Millisecond)
}

// fetchFilesLimit bounds the partitions that one answer holds records of, as each holds a file open until it is encoded.
// The others come with the next fetch.
const fetchFilesLimit = 500

// fetching is one fetch under way.
type fetching struct {
	broker   *Broker
	request  *Request
	req      *kmsg.FetchRequest
	level    replica.Level
	context  *fetchContext
	minBytes int
	selects  bool  // consumers are sent to followers in their rack
	stranger error // why a follower's fetch is refused here
	errors   ErrorCounts

	parts []fetchPart
	found int // partitions that exist
	bytes int
	files int  // partitions with records
	eager bool // there is no point in waiting: an error, a diverging epoch, more records than this answer can hold
}

// fetchPart is what one partition's answer will be.
type fetchPart struct {
	state   *fetchState
	replica *replica.Partition
	read    replica.Read
	size    int
	aborted []storage.AbortedTransaction // those that lie in what is read, for read_committed
	// preferred is the follower that the consumer shall read from instead, -1: none. There are no records then.
	preferred int32
	err       error
}

// missing says that there is no such partition, on any broker.
func (p *fetchPart) missing() bool {
	return p.replica == nil && (errors.Is(p.err, kerr.UnknownTopicOrPartition) || errors.Is(p.err, kerr.UnknownTopicID))
}

func fetchReplica(req *kmsg.FetchRequest) int32 {
	if req.Version >= 15 {
		return req.ReplicaState.ID
	}
	return req.ReplicaID
}

// fetchBrokerEpoch is the epoch that a follower's broker says it has, -1 if it cannot say.
func fetchBrokerEpoch(req *kmsg.FetchRequest) int64 {
	if req.Version >= 15 {
		return req.ReplicaState.Epoch
	}
	return -1
}

func fetchLevel(req *kmsg.FetchRequest) replica.Level {
	switch {
	case fetchReplica(req) >= 0:
		return replica.LogEnd
	case req.IsolationLevel == 1:
		return replica.Stable
	default:
		return replica.Committed
	}
}

// limit is how many bytes of records the answer may hold.
func (f *fetching) limit() int {
	limit := int(f.broker.FetchMaxBytes)
	if f.req.Version >= 3 {
		limit = min(limit, int(f.req.MaxBytes))
	}
	return max(limit, 0)
}

// asked lists the partitions that the request names, with names resolved.
func (f *fetching) asked() []*fetchState {
	var out []*fetchState
	for i := range f.req.Topics {
		t := &f.req.Topics[i]
		name := f.topicName(t.Topic, t.TopicID)
		for j := range t.Partitions {
			p := &t.Partitions[j]
			state := &fetchState{key: f.key(t.Topic, t.TopicID, p.Partition), name: name, offset: p.FetchOffset,
				leaderEpoch: -1, lastEpoch: -1, maxBytes: p.PartitionMaxBytes}
			if f.req.Version >= 9 {
				state.leaderEpoch = p.CurrentLeaderEpoch
			}
			if f.req.Version >= 12 {
				state.lastEpoch = p.LastFetchedEpoch
			}
			out = append(out, state)
		}
	}
	return out
}

func (f *fetching) forgotten() []*fetchState {
	var out []*fetchState
	for i := range f.req.ForgottenTopics {
		t := &f.req.ForgottenTopics[i]
		for _, p := range t.Partitions {
			out = append(out, &fetchState{key: f.key(t.Topic, t.TopicID, p)})
		}
	}
	return out
}

func (f *fetching) key(topic string, id [16]byte, partition int32) fetchKey {
	if f.req.Version >= 13 {
		return fetchKey{id: id, partition: partition}
	}
	return fetchKey{topic: topic, partition: partition}
}

func (f *fetching) topicName(topic string, id [16]byte) string {
	if f.req.Version < 13 {
		return topic
	}
	name, err := f.broker.Replicas.TopicName(id)
	if err != nil {
		return ""
	}
	return name
}

// collect looks what can be read now. Regions are held until encode or release.
func (f *fetching) collect() {
	f.parts = make([]fetchPart, len(f.context.states))
	f.found, f.bytes, f.files, f.eager = 0, 0, 0, false
	left, rest := f.limit(), false
	for i, state := range f.context.states {
		part := &f.parts[i]
		part.state = state
		if f.files == fetchFilesLimit {
			left = 0
		}
		f.look(part, left)
		if part.size > 0 {
			f.files++
		}
		if part.missing() {
			continue // Others are waited for nevertheless: a client that asks for what was deleted would ask without pause.
		}
		f.found++
		left -= part.size
		f.bytes += part.size
		f.eager = f.eager || f.isBehind(part) || part.err != nil || part.read.Diverging != nil || part.preferred >= 0
		rest = rest || state.offset < part.read.Bound && part.read.Records.NextOffset < part.read.Bound
	}
	// What has no room, or lies in the next segment, no waiting brings into this answer.
	f.eager = f.eager || rest && f.bytes > 0
}

// look reads one partition, at most limit bytes of it.
func (f *fetching) look(part *fetchPart, limit int) {
	state := part.state
	part.preferred = -1
	part.replica, part.err = f.find(state)
	if part.err != nil {
		part.read = replica.Read{HighWatermark: -1, LastStableOffset: -1, LogStartOffset: -1}
		return
	}
	anywhere := f.level != replica.LogEnd && f.req.Version >= 11
	if anywhere && f.selects {
		if part.preferred = part.replica.PreferredReader(f.req.Rack, state.offset); part.preferred >= 0 {
			limit = 0
		}
	}
	part.read, part.err = part.replica.Read(state.offset, replica.ReadOptions{
		Level:       f.level,
		LeaderEpoch: max(state.leaderEpoch, -1), // Kafka ignores a smaller one here, and refuses it in ListOffsets
		LastEpoch:   state.lastEpoch,
		MaxBytes:    min(int(state.maxBytes), max(limit, 0)),
		AtLeastOne:  f.bytes == 0 && f.req.Version >= 3 && part.preferred < 0,
		Anywhere:    anywhere,

		FromFollower: f.level == replica.LogEnd, Follower: fetchReplica(f.req), BrokerEpoch: fetchBrokerEpoch(f.req),
	})
	if part.err == nil && f.limitless(state) && part.read.Bound > state.offset {
		part.read.Records.Close()
		part.err = fmt.Errorf("fetch of a negative number of bytes: %w", kerr.UnknownServerError)
	}
	if part.err != nil {
		part.read.HighWatermark, part.read.LastStableOffset, part.read.LogStartOffset, part.preferred = -1, -1, -1, -1
		return
	}
	part.size = part.read.Records.Len()
	if f.level == replica.Stable && part.size > 0 {
		part.aborted, part.err = part.replica.AbortedTransactions(state.offset, part.read.Records.NextOffset)
		if part.err != nil {
			part.read.Records.Close()
			part.size = 0
		}
	}
}

// isBehind says that a follower of a session was told of an older high watermark (KIP-1166).
func (f *fetching) isBehind(part *fetchPart) bool {
	return f.level == replica.LogEnd && f.req.Version >= 18 && part.state.sent && part.state.highWatermark < part.read.HighWatermark
}

// limitless says whether a limit makes no sense. Kafka finds out when there is something to read.
func (f *fetching) limitless(state *fetchState) bool {
	return state.maxBytes < 0 || f.req.Version >= 3 && f.req.MaxBytes < 0
}

func (f *fetching) find(state *fetchState) (*replica.Partition, error) {
	name := state.name
	if name == "" && f.req.Version >= 13 {
		resolved, err := f.broker.Replicas.TopicName(state.key.id) // it may have become known since the session began
		if err != nil {
			return nil, err
		}
		name = resolved
		state.name = name
	}
	if f.stranger != nil {
		return nil, f.stranger
	}
	part, err := f.broker.Replicas.Get(name, state.key.partition)
	if err == nil && f.req.Version >= 13 && part.Topic().ID != state.key.id {
		// The topic was deleted and made again under its name, and the session remembers the name.
		return nil, fmt.Errorf("topic %s has another id now: %w", name, kerr.InconsistentTopicID)
	}
	return part, err
}

func (f *fetching) ready() bool {
	return f.eager || f.bytes >= f.minBytes || f.found == 0
}

// park waits for more, holding no region and no buffer meanwhile.
func (f *fetching) park(wait time.Duration) Result {
	watch := replica.NewWatch(f.level, f.minBytes-f.bytes)
	if f.level == replica.LogEnd && f.req.Version >= 18 {
		watch = replica.NewFollowersWatch(f.minBytes - f.bytes)
	}
	f.release()
	for i := range f.parts {
		if !f.parts[i].missing() {
			f.parts[i].replica.Watch(watch, f.parts[i].seen(), f.parts[i].read.HighWatermark)
		}
	}
	timer := time.AfterFunc(wait, watch.Fire)
	return Result{Pending: &Pending{Done: watch.Done(), Cut: watch.Fire, Finish: func() Result {
		timer.Stop()
		for i := range f.parts {
			if !f.parts[i].missing() {
				f.parts[i].replica.Unwatch(watch)
			}
		}
		// Looked for only when it is sent: nobody would let go of regions for a client that is gone.
		return f.answer(func(out *wire.Buffer) error {
			f.collect()
			return f.encode(out)
		})
	}}}
}

func (f *fetching) answer(encode func(*wire.Buffer) error) Result {
	return Result{Encode: encode, Errors: &f.errors}
}

// seen is the bound that the poll knows. What it could not read for lack of room counts as seen, too.
func (p *fetchPart) seen() int64 { return p.read.Bound }

func (f *fetching) release() {
	for i := range f.parts {
		f.parts[i].read.Records.Close()
	}
}

// refuse answers the whole fetch with an error: in the answer's head, and before version 13 in each partition too, as
// older clients look only there.
func (f *fetching) refuse(err error) Result {
	resp := f.req.ResponseKind().(*kmsg.FetchResponse)
	resp.ErrorCode = f.broker.code(err, kerr.InvalidRequest, "fetch")
	if f.req.Version >= 13 {
		return respond(resp)
	}
	for i := range f.req.Topics {
		t := kmsg.NewFetchResponseTopic()
		t.Topic = f.req.Topics[i].Topic
		for j := range f.req.Topics[i].Partitions {
			p := kmsg.NewFetchResponseTopicPartition()
			p.Partition = f.req.Topics[i].Partitions[j].Partition
			p.ErrorCode, p.HighWatermark, p.LastStableOffset, p.LogStartOffset = resp.ErrorCode, -1, -1, -1
			p.RecordBatches, p.AbortedTransactions = []byte{}, []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
	return respond(resp)
}

// partCode is the partition's error as its version's clients understand it.
func (f *fetching) partCode(err error) int16 {
	code := f.broker.code(err, kerr.KafkaStorageError, "fetch")
	if code == kerr.KafkaStorageError.Code && f.req.Version <= 5 {
		return kerr.NotLeaderForPartition.Code // they would take an unknown code for a fatal one
	}
	return code
}

func leaderMoved(err error) bool {
	return errors.Is(err, kerr.NotLeaderForPartition) || errors.Is(err, kerr.FencedLeaderEpoch)
}
