package admin

import (
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// client is a connection to the broker, of the simplest kind. Its requests are of versions with plain headers.
type client struct {
	t      *testing.T
	socket net.Conn
	format *kmsg.RequestFormatter
	sent   int32
}

func (d *desk) dial() *client {
	d.t.Helper()
	socket, err := net.Dial("tcp", d.broker.Addresses()[0].String())
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = socket.Close() })
	_ = socket.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{t: d.t, socket: socket, format: kmsg.NewRequestFormatter(kmsg.FormatterClientID("test"))}
}

func (c *client) send(request kmsg.Request) (bytes int) {
	c.t.Helper()
	c.sent++
	frame := c.format.AppendRequest(nil, request, c.sent)
	if _, err := c.socket.Write(frame); err != nil {
		c.t.Fatal(err)
	}
	return len(frame)
}

// ask sends a request and decodes the answer to it.
func (c *client) ask(request kmsg.Request) (response kmsg.Response, in, out int) {
	c.t.Helper()
	in = c.send(request)
	var size [4]byte
	if _, err := io.ReadFull(c.socket, size[:]); err != nil {
		c.t.Fatal(err)
	}
	frame := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c.socket, frame); err != nil {
		c.t.Fatal(err)
	}
	response = request.ResponseKind()
	if err := response.ReadFrom(frame[4:]); err != nil {
		c.t.Fatal(err)
	}
	return response, in, len(size) + len(frame)
}

// expectClosed waits for the broker to close the connection.
func (c *client) expectClosed() {
	c.t.Helper()
	if n, err := c.socket.Read(make([]byte, 1)); n > 0 || err == nil {
		c.t.Fatal("an answer came, the connection should have been closed")
	}
}

// records is a batch of so many records.
func records(n int) []byte {
	b := batch.NewBuilder(batch.BuilderOptions{})
	for range n {
		b.Append(batch.Record{Timestamp: 1_700_000_000_000, Value: []byte("value")})
	}
	return b.Build()
}

func produce(topic string, partition int32, acks int16, records []byte) *kmsg.ProduceRequest {
	request := kmsg.NewPtrProduceRequest()
	request.Version, request.Acks, request.TimeoutMillis = 8, acks, 10_000
	request.Topics = []kmsg.ProduceRequestTopic{{
		Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: partition, Records: records}},
	}}
	return request
}

// put produces a batch of so many records and returns its size.
func (c *client) put(topic string, partition int32, n int) int {
	c.t.Helper()
	written := records(n)
	response, _, _ := c.ask(produce(topic, partition, 1, written))
	if code := response.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
		c.t.Fatal(kerr.ErrorForCode(code))
	}
	return len(written)
}

// take fetches from one partition and returns the size of what came.
func (c *client) take(topic string, partition int32, offset int64) int {
	c.t.Helper()
	request := kmsg.NewPtrFetchRequest()
	request.Version, request.ReplicaID, request.MaxBytes, request.SessionEpoch = 11, -1, 1<<20, -1
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = partition, offset, 1<<20
	request.Topics = []kmsg.FetchRequestTopic{{Topic: topic, Partitions: []kmsg.FetchRequestTopicPartition{part}}}
	response, _, _ := c.ask(request)
	return len(response.(*kmsg.FetchResponse).Topics[0].Partitions[0].RecordBatches)
}

// commit commits one offset for a group, once the group's coordinator has loaded.
func (c *client) commit(group, topic string, partition int32, offset int64) {
	c.t.Helper()
	request := kmsg.NewPtrOffsetCommitRequest()
	request.Version, request.Group = 7, group
	part := kmsg.NewOffsetCommitRequestTopicPartition()
	part.Partition, part.Offset = partition, offset
	request.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{part}}}
	for {
		response, _, _ := c.ask(request)
		switch code := response.(*kmsg.OffsetCommitResponse).Topics[0].Partitions[0].ErrorCode; code {
		case 0:
			return
		case kerr.CoordinatorLoadInProgress.Code:
			runtime.Gosched()
		default:
			c.t.Fatal(kerr.ErrorForCode(code))
		}
	}
}

// join makes the client a member of a group.
func (c *client) join(group string) {
	c.t.Helper()
	request := kmsg.NewPtrJoinGroupRequest()
	request.Version, request.Group, request.ProtocolType = 3, group, "consumer"
	request.SessionTimeoutMillis, request.RebalanceTimeoutMillis = 10_000, 10_000
	request.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("m")}}
	response, _, _ := c.ask(request)
	if code := response.(*kmsg.JoinGroupResponse).ErrorCode; code != 0 {
		c.t.Fatal(kerr.ErrorForCode(code))
	}
}
