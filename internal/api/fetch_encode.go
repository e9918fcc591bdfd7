package api

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/wire"
)

// partOverhead is about what a partition's answer takes beside its records; it only sizes the buffer.
const partOverhead = 96

// encode writes the answer. Records go from the file into the response buffer, once, and nowhere else; that is why
// this is written by hand and not by the codec.
func (f *fetching) encode(out *wire.Buffer) error {
	defer f.release()
	send, err := f.context.answer(f.parts)
	out.Reserve(f.bytes + partOverhead*(len(send)+1))
	e := fetchEncoder{fetching: f, out: out, version: f.req.Version, flexible: f.req.Version >= 12}
	e.head(f.broker.code(err, kerr.InvalidFetchSessionEpoch, "fetch"))
	topics := groupByTopic(send)
	e.length(len(topics))
	for _, parts := range topics {
		if e.version >= 13 {
			_, _ = out.Write(parts[0].state.key.id[:])
		} else {
			e.text(parts[0].state.key.topic)
		}
		e.length(len(parts))
		for _, part := range parts {
			if err := e.partition(part); err != nil {
				return err
			}
		}
		e.noTags()
	}
	e.tail()
	return nil
}

// groupByTopic puts runs of partitions of the same topic together, keeping their order.
func groupByTopic(parts []*fetchPart) [][]*fetchPart {
	var topics [][]*fetchPart
	for i, start := 0, 0; i < len(parts); i++ {
		if last := i == len(parts)-1; last || !sameTopic(parts[i].state.key, parts[i+1].state.key) {
			topics = append(topics, parts[start:i+1])
			start = i + 1
		}
	}
	return topics
}

func sameTopic(a, b fetchKey) bool { return a.id == b.id && a.topic == b.topic }

// fetchEncoder writes the fields of a fetch response at one version.
type fetchEncoder struct {
	*fetching
	out      *wire.Buffer
	version  int16
	flexible bool
	moved    map[int32]kmsg.FetchResponseBroker // leaders to name at the end (KIP-951)
}

func (e *fetchEncoder) head(code int16) {
	if e.version >= 1 {
		e.int32(0) // throttle time
	}
	if e.version >= 7 {
		e.int16(code)
		e.int32(e.context.id)
	}
}

func (e *fetchEncoder) tail() {
	if !e.flexible {
		return
	}
	if len(e.moved) == 0 {
		e.noTags()
		return
	}
	e.out.B = binary.AppendUvarint(e.out.B, 1)
	body := binary.AppendUvarint(nil, uint64(len(e.moved)+1))
	for _, node := range e.moved {
		body = binary.BigEndian.AppendUint32(body, uint32(node.NodeID))
		body = append(binary.AppendUvarint(body, uint64(len(node.Host)+1)), node.Host...)
		body = binary.BigEndian.AppendUint32(body, uint32(node.Port))
		if node.Rack == nil {
			body = append(body, 0)
		} else {
			body = append(binary.AppendUvarint(body, uint64(len(*node.Rack)+1)), *node.Rack...)
		}
		body = append(body, 0)
	}
	e.tag(0, body)
}

// partition writes one partition's answer; when its records cannot be read after all, the answer becomes an error.
func (e *fetchEncoder) partition(part *fetchPart) error {
	start := e.out.Len()
	e.partitionHead(part)
	err := e.records(part)
	if short := (*shortRead)(nil); errors.As(err, &short) {
		// A damaged batch follows good ones: these are given now, and the error with the next fetch, which begins there.
		good := slices.Clone(e.out.B[e.out.Len()-part.size:][:short.good])
		e.out.B = e.out.B[:start]
		part.size = short.good
		e.partitionHead(part)
		e.bytes(good)
		err = nil
	}
	if err != nil {
		e.out.B = e.out.B[:start]
		part.err, part.size = err, 0
		part.read.HighWatermark, part.read.LastStableOffset, part.read.LogStartOffset, part.preferred = -1, -1, -1, -1
		e.partitionHead(part)
		e.bytes(nil)
	}
	part.count()
	e.partitionTags(part)
	return nil
}

// count adds the answer to its topic's traffic.
func (p *fetchPart) count() {
	if p.replica == nil {
		return
	}
	traffic := &p.replica.Topic().Traffic
	traffic.FetchRequests.Add(1)
	traffic.BytesOut.Add(int64(p.size))
	if p.err != nil {
		traffic.FailedFetchRequests.Add(1)
	}
}

func (e *fetchEncoder) partitionHead(part *fetchPart) {
	code := e.partCode(part.err)
	e.errors.Add(code)
	e.int32(part.state.key.partition)
	e.int16(code)
	e.int64(part.read.HighWatermark)
	if e.version >= 4 {
		e.int64(part.read.LastStableOffset)
	}
	if e.version >= 5 {
		e.int64(part.read.LogStartOffset)
	}
	if e.version >= 4 {
		e.aborted(part)
	}
	if e.version >= 11 {
		e.int32(part.preferred)
	}
}

// aborted lists the aborted transactions that lie in what is read, for read_committed; null for others;
// none for what does not exist.
func (e *fetchEncoder) aborted(part *fetchPart) {
	if part.missing() {
		e.length(0)
		return
	}
	if e.req.IsolationLevel == 0 || part.err != nil {
		e.nullLength()
		return
	}
	e.length(len(part.aborted))
	for _, t := range part.aborted {
		e.int64(t.ProducerID)
		e.int64(t.FirstOffset)
		e.noTags()
	}
}

func (e *fetchEncoder) records(part *fetchPart) error {
	if e.version < 4 {
		return e.downConverted(part)
	}
	e.bytesLength(part.size)
	if part.size == 0 {
		return nil
	}
	n, err := part.read.Records.ReadInto(e.out.Extend(part.size))
	if err == nil && n != part.size {
		err = &shortRead{good: n}
	}
	return err
}

// shortRead says that only so many of a region's bytes are good batches.
type shortRead struct{ good int }

func (s *shortRead) Error() string { return fmt.Sprintf("only %d bytes are good", s.good) }

// downConverted writes records in the format of old clients (message format 0 up to version 1, 1 up to version 3).
func (e *fetchEncoder) downConverted(part *fetchPart) error {
	if part.size == 0 {
		e.bytes(nil)
		return nil
	}
	stored := wire.GetBuffer(part.size)
	defer stored.Free()
	n, err := part.read.Records.ReadInto(stored.Extend(part.size))
	if err != nil {
		return err
	}
	magic := int8(0)
	if e.version >= 2 {
		magic = 1
	}
	converted, err := batch.DownConvert(stored.B[:n], magic, part.state.offset, int(part.state.maxBytes))
	if err != nil {
		return fmt.Errorf("partition %s: %w", part.replica, err)
	}
	part.replica.Topic().Traffic.Conversions.Add(1)
	e.bytes(converted)
	return nil
}

func (e *fetchEncoder) partitionTags(part *fetchPart) {
	if !e.flexible {
		return
	}
	var leader []byte
	if e.version >= 16 && part.err != nil && leaderMoved(part.err) {
		e.broker.tellLeader(part.state.name, part.state.key.partition, func(id, epoch int32) {
			leader = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(id)), uint32(epoch))
			leader = append(leader, 0)
			if e.stranger == nil {
				e.nameLeader(id) // Kafka spares followers the address: they know it from the metadata
			}
		})
	}
	tags := 0
	if part.read.Diverging != nil {
		tags++
	}
	if leader != nil {
		tags++
	}
	e.out.B = binary.AppendUvarint(e.out.B, uint64(tags))
	if d := part.read.Diverging; d != nil {
		body := binary.BigEndian.AppendUint32(nil, uint32(d.Epoch))
		e.tag(0, append(binary.BigEndian.AppendUint64(body, uint64(d.End)), 0))
	}
	if leader != nil {
		e.tag(1, leader)
	}
}

func (e *fetchEncoder) nameLeader(id int32) {
	host, port, rack, ok := e.broker.endpoint(e.request.Conn, id)
	if !ok {
		return
	}
	if e.moved == nil {
		e.moved = make(map[int32]kmsg.FetchResponseBroker)
	}
	e.moved[id] = kmsg.FetchResponseBroker{NodeID: id, Host: host, Port: port, Rack: rack}
}

func (e *fetchEncoder) tag(number uint64, body []byte) {
	e.out.B = binary.AppendUvarint(e.out.B, number)
	e.out.B = append(binary.AppendUvarint(e.out.B, uint64(len(body))), body...)
}

func (e *fetchEncoder) noTags() {
	if e.flexible {
		e.out.B = append(e.out.B, 0)
	}
}

func (e *fetchEncoder) int16(v int16) { e.out.B = binary.BigEndian.AppendUint16(e.out.B, uint16(v)) }
func (e *fetchEncoder) int32(v int32) { e.out.B = binary.BigEndian.AppendUint32(e.out.B, uint32(v)) }
func (e *fetchEncoder) int64(v int64) { e.out.B = binary.BigEndian.AppendUint64(e.out.B, uint64(v)) }

// length writes an array's length.
func (e *fetchEncoder) length(n int) {
	if e.flexible {
		e.out.B = binary.AppendUvarint(e.out.B, uint64(n+1))
	} else {
		e.int32(int32(n))
	}
}

func (e *fetchEncoder) nullLength() {
	if e.flexible {
		e.out.B = append(e.out.B, 0)
	} else {
		e.int32(-1)
	}
}

func (e *fetchEncoder) text(s string) {
	if e.flexible {
		e.out.B = binary.AppendUvarint(e.out.B, uint64(len(s)+1))
	} else {
		e.int16(int16(len(s)))
	}
	e.out.B = append(e.out.B, s...)
}

func (e *fetchEncoder) bytesLength(n int) { e.length(n) }

func (e *fetchEncoder) bytes(b []byte) {
	e.bytesLength(len(b))
	e.out.B = append(e.out.B, b...)
}
