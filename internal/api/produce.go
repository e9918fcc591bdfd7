package api

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/replica"
	"github.com/barnabas-mq/barnabas/internal/storage"
)

// Produce (key 0) appends records. With acks=all each partition's answer waits until its records are committed, at
// most for the request's timeout; with acks=1 until they are in the leader's log, and durable there where flush.messages
// asks for it; with acks=0 there is no answer, and an error closes the connection so that the client looks again.
//
// Versions 0–13. 0–2 carry message sets of the old formats, which become v2 batches; Kafka 4 no longer takes them, but
// clients still send them. 3: one v2 batch a partition, transactional ids. 5: log start offset. 8: per-record errors
// (KIP-467). 10: the current leader in errors (KIP-951). 12: implicit adding to transactions (KIP-890). 13: topic ids.
func (b *Broker) produce(r *Request) Result {
	req := r.Body.(*kmsg.ProduceRequest)
	p := &producing{broker: b, request: r, acks: req.Acks}
	p.response = req.ResponseKind().(*kmsg.ProduceResponse)
	p.appendAll(req)
	if req.Acks == 0 {
		return p.silent()
	}
	if len(p.waits) == 0 {
		return p.answer()
	}
	return p.wait(time.Duration(req.TimeoutMillis) * time.Millisecond)
}

// producing is one produce request under way.
type producing struct {
	broker   *Broker
	request  *Request
	acks     int16
	response *kmsg.ProduceResponse
	errors   ErrorCounts

	waits []commitWait
	left  atomic.Int32
}

// commitWait is a partition whose records are appended and not yet known to be committed, or durable.
type commitWait struct {
	topic, partition int // indexes into the response
	replica          *replica.Partition
	until            func(end int64, done func(error))
	end              int64
	settled          atomic.Pointer[commitResult]
}

type commitResult struct{ err error }

var errNoAnswer = errors.New("produce with acks=0 failed, and the client takes no answer")

// silent ends a request with acks=0.
func (p *producing) silent() Result {
	for _, t := range p.response.Topics {
		for _, part := range t.Partitions {
			if part.ErrorCode != 0 {
				return Result{Close: fmt.Errorf("%w: %s-%d: %w", errNoAnswer, t.Topic, part.Partition, kerr.ErrorForCode(part.ErrorCode)), Errors: &p.errors}
			}
		}
	}
	return Result{None: true}
}

func (p *producing) appendAll(req *kmsg.ProduceRequest) {
	refused := p.refuseWhole(req)
	p.response.Topics = make([]kmsg.ProduceResponseTopic, len(req.Topics))
	for i := range req.Topics {
		in, out := &req.Topics[i], &p.response.Topics[i]
		out.Topic, out.TopicID = in.Topic, in.TopicID
		out.Partitions = make([]kmsg.ProduceResponseTopicPartition, len(in.Partitions))
		name, err := in.Topic, refused
		if err == nil && req.Version >= 13 {
			name, err = p.broker.Replicas.TopicName(in.TopicID)
		}
		for j := range in.Partitions {
			at := &out.Partitions[j]
			at.Default()
			at.Partition, at.BaseOffset, at.LogAppendTime, at.LogStartOffset = in.Partitions[j].Partition, -1, -1, -1
			if err != nil {
				p.fail(at, name, err)
				continue
			}
			p.append(i, j, name, in)
		}
	}
}

// refuseWhole finds what is wrong with the request as a whole.
func (p *producing) refuseWhole(req *kmsg.ProduceRequest) error {
	if req.Acks < -1 || req.Acks > 1 {
		return fmt.Errorf("acks %d is none of -1, 0, 1: %w", req.Acks, kerr.InvalidRequiredAcks)
	}
	if !transactional(req) {
		return nil
	}
	if req.TransactionID == nil {
		return fmt.Errorf("transactional records without a transactional id: %w", kerr.TransactionalIDAuthorizationFailed)
	}
	// No transactional id can be known before InitProducerId gives one out.
	return fmt.Errorf("transactional id %q: %w", *req.TransactionID, kerr.InvalidProducerIDMapping)
}

func transactional(req *kmsg.ProduceRequest) bool {
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			if h, err := batch.ParseHeader(req.Topics[i].Partitions[j].Records); err == nil && h.Transactional() {
				return true
			}
		}
	}
	return false
}

func (p *producing) append(i, j int, topic string, in *kmsg.ProduceRequestTopic) {
	at, records := &p.response.Topics[i].Partitions[j], in.Partitions[j].Records
	part, err := p.broker.Replicas.Get(topic, at.Partition)
	if err == nil && p.request.Version >= 13 && part.Topic().ID != in.TopicID {
		// The topic was deleted and made again since its name was looked up.
		err = fmt.Errorf("topic %s has another id now: %w", topic, kerr.UnknownTopicID)
	}
	if err == nil {
		err = p.admit(topic, records)
	}
	if err != nil {
		p.fail(at, topic, err)
		return
	}
	traffic := &part.Topic().Traffic
	traffic.ProduceRequests.Add(1)
	appended, err := part.Append(records, replica.AppendOptions{
		Origin: storage.Client, AcksAll: p.acks == -1, LeaderEpoch: -1, ProduceVersion: p.request.Version,
	})
	if err != nil {
		traffic.FailedProduceRequests.Add(1)
		traffic.BytesRejected.Add(int64(len(records)))
		p.fail(at, topic, err)
		at.LogStartOffset = p.startToldWith(err, part, records)
		return
	}
	at.BaseOffset, at.LogAppendTime, at.LogStartOffset = appended.BaseOffset, appended.LogAppendTimeMs, appended.LogStartOffset
	p.park(i, j, part, appended)
}

// admit refuses what no partition takes.
func (p *producing) admit(topic string, records []byte) error {
	if isInternalTopic(topic) && p.request.Client() != adminClientID {
		return fmt.Errorf("topic %s is internal: %w", topic, kerr.InvalidTopicException)
	}
	if records == nil {
		return fmt.Errorf("topic %s: null records: %w", topic, kerr.InvalidRecord)
	}
	return nil
}

// adminClientID is the client id with which Kafka's own tools may write to internal topics.
const adminClientID = "__admin_client"

// fail answers a partition with an error, as its version can tell it.
func (p *producing) fail(at *kmsg.ProduceResponseTopicPartition, topic string, err error) {
	at.ErrorCode = p.broker.code(err, kerr.KafkaStorageError, "produce")
	p.errors.Add(at.ErrorCode)
	at.BaseOffset = -1
	if errors.Is(err, batch.ErrMagic) || errors.Is(err, batch.ErrLength) {
		at.ErrorMessage = message(err)
	}
	var records *batch.RecordErrors
	if errors.As(err, &records) {
		at.ErrorMessage = kmsg.StringPtr(records.Error())
		for _, e := range records.Records {
			at.ErrorRecords = append(at.ErrorRecords, kmsg.ProduceResponseTopicPartitionErrorRecord{
				RelativeOffset: e.Index, ErrorMessage: kmsg.StringPtr(e.Message),
			})
		}
	}
	if p.request.Version >= 10 && errors.Is(err, kerr.NotLeaderForPartition) {
		p.broker.tellLeader(topic, at.Partition, func(leader, epoch int32) {
			at.CurrentLeader.LeaderID, at.CurrentLeader.LeaderEpoch = leader, epoch
		})
	}
}

// startToldWith is the log start offset beside an error. Kafka tells it with all errors that come out of the log but
// those that say nothing about the records' place in it.
func (p *producing) startToldWith(err error, part *replica.Partition, records []byte) int64 {
	if p.request.Version >= 3 && !p.oneBatch(records) {
		return -1
	}
	for _, silent := range []error{
		kerr.UnknownTopicOrPartition, kerr.NotLeaderForPartition, kerr.MessageTooLarge, kerr.RecordListTooLarge,
		kerr.CorruptMessage, kerr.KafkaStorageError, kerr.UnsupportedCompressionType,
	} {
		if errors.Is(err, silent) {
			return -1
		}
	}
	extent, err := part.Extent()
	if err != nil {
		return -1
	}
	return extent.Start
}

// oneBatch says whether records are what Kafka hands to the log at all: one batch, of a codec that the version knows.
func (p *producing) oneBatch(records []byte) bool {
	h, _, rest, err := batch.Next(records)
	if err != nil {
		return false
	}
	_, _, _, err = batch.Next(rest)
	return err != nil && (p.request.Version >= 7 || h.Codec().Known())
}

// park notes what the partition's answer has to wait for, if it does.
func (p *producing) park(i, j int, part *replica.Partition, appended replica.Appended) {
	end := appended.LastOffset + 1
	var until func(int64, func(error))
	switch {
	case p.acks == -1 && !appended.Committed:
		until = func(end int64, done func(error)) { part.WhenCommitted(appended.LeaderEpoch, end, done) }
	case p.acks != 0 && appended.Unflushed:
		until = part.WhenDurable
	default:
		return
	}
	p.waits = append(p.waits, commitWait{topic: i, partition: j, replica: part, until: until, end: end})
}

// wait parks the request until every wait is over or the time is up.
func (p *producing) wait(timeout time.Duration) Result {
	done := make(chan struct{})
	p.left.Store(int32(len(p.waits)))
	var once atomic.Bool
	finish := func() {
		if once.CompareAndSwap(false, true) {
			close(done)
		}
	}
	timer := time.AfterFunc(max(timeout, 0), finish)
	for i := range p.waits {
		w := &p.waits[i]
		w.until(w.end, func(err error) {
			w.settled.Store(&commitResult{err})
			if p.left.Add(-1) == 0 {
				finish()
			}
		})
	}
	return Result{Pending: &Pending{Done: done, Cut: finish, Finish: func() Result {
		timer.Stop()
		return p.settle()
	}}}
}

// settle makes the answer of what became of the waits.
func (p *producing) settle() Result {
	for i := range p.waits {
		w := &p.waits[i]
		at := &p.response.Topics[w.topic].Partitions[w.partition]
		result := w.settled.Load()
		switch {
		case result == nil:
			p.fail(at, w.replica.Topic().Name, fmt.Errorf("not committed, or durable, in time: %w", kerr.RequestTimedOut))
		case result.err != nil:
			p.fail(at, w.replica.Topic().Name, result.err)
		}
	}
	return p.answer()
}

func (p *producing) answer() Result { return Result{Response: p.response, Errors: &p.errors} }
