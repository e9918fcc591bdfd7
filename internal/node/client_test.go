package node_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/api"
)

// patience bounds every request of a test: a broker that lost its disk may not answer any more.
const patience = 10 * time.Second

// client is a connection that asks one thing at a time and repeats nothing, so a test knows what was acknowledged.
type client struct {
	conn  net.Conn
	asked int32
	newer map[int16]int16
	// hopeless, when set, says that asking again leads nowhere.
	hopeless func() bool
}

func (c *client) giveUp(deadline time.Time) bool {
	return time.Now().After(deadline) || c.hopeless != nil && c.hopeless()
}

func dial(address string) (*client, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, newer: make(map[int16]int16)}
	for _, row := range api.Table() {
		c.newer[row.Key] = row.Max
	}
	return c, nil
}

func (c *client) close() { _ = c.conn.Close() }

// ask sends a request in its newest version (Produce, Fetch and what knows topic ids: the newest with names).
func (c *client) ask(req kmsg.Request) (kmsg.Response, error) {
	newest := c.newer[req.Key()]
	switch req.(type) {
	case *kmsg.ProduceRequest, *kmsg.FetchRequest:
		newest = 12
	case *kmsg.OffsetCommitRequest, *kmsg.OffsetFetchRequest:
		newest = 8
	}
	return c.askIn(newest, req)
}

// askIn sends a request in one version.
func (c *client) askIn(version int16, req kmsg.Request) (kmsg.Response, error) {
	req.SetVersion(version)
	c.asked++
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, c.asked)
	if err := c.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(frame); err != nil {
		return nil, err
	}
	return c.read(req)
}

func (c *client) read(req kmsg.Request) (kmsg.Response, error) {
	var size [4]byte
	if _, err := io.ReadFull(c.conn, size[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c.conn, body); err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	r := kbin.Reader{Src: body}
	if got := r.Int32(); got != c.asked {
		return nil, fmt.Errorf("answer %d to request %d", got, c.asked)
	}
	if resp.IsFlexible() && req.Key() != 18 {
		kmsg.SkipTags(&r)
	}
	return resp, resp.ReadFrom(r.Src)
}

// call asks and expects the answer of its kind.
func call[T kmsg.Response](c *client, req kmsg.Request) (answer T, err error) {
	resp, err := c.ask(req)
	if err != nil {
		return answer, err
	}
	return resp.(T), nil
}

func (c *client) createTopic(name string, partitions int32, configs map[string]string) (id [16]byte, err error) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 10_000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
	for key, value := range configs {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = key, kmsg.StringPtr(value)
		topic.Configs = append(topic.Configs, config)
	}
	req.Topics = append(req.Topics, topic)
	resp, err := call[*kmsg.CreateTopicsResponse](c, req)
	if err != nil {
		return id, err
	}
	return resp.Topics[0].TopicID, refusal(resp.Topics[0].ErrorCode, resp.Topics[0].ErrorMessage)
}

func refusal(code int16, message *string) error {
	err := kerr.ErrorForCode(code)
	if err != nil && message != nil {
		return fmt.Errorf("%s: %w", *message, err)
	}
	return err
}

func (c *client) deleteTopic(name string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = 10_000
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = kmsg.StringPtr(name)
	req.Topics = append(req.Topics, topic)
	resp, err := call[*kmsg.DeleteTopicsResponse](c, req)
	if err != nil {
		return err
	}
	return refusal(resp.Topics[0].ErrorCode, resp.Topics[0].ErrorMessage)
}

func (c *client) setConfig(kind kmsg.ConfigResourceType, resource, name, value string) error {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kind, resource
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = name, kmsg.StringPtr(value)
	r.Configs = append(r.Configs, config)
	req.Resources = append(req.Resources, r)
	resp, err := call[*kmsg.IncrementalAlterConfigsResponse](c, req)
	if err != nil {
		return err
	}
	return refusal(resp.Resources[0].ErrorCode, resp.Resources[0].ErrorMessage)
}

func (c *client) config(kind kmsg.ConfigResourceType, resource, name string) (string, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kind, resource, []string{name}
	req.Resources = append(req.Resources, r)
	resp, err := call[*kmsg.DescribeConfigsResponse](c, req)
	if err != nil {
		return "", err
	}
	if err := refusal(resp.Resources[0].ErrorCode, resp.Resources[0].ErrorMessage); err != nil {
		return "", err
	}
	for _, config := range resp.Resources[0].Configs {
		if config.Name == name && config.Value != nil {
			return *config.Value, nil
		}
	}
	return "", nil
}

// topics are the ids by name, internal topics apart.
func (c *client) topics() (map[string][16]byte, error) {
	req := kmsg.NewPtrMetadataRequest()
	resp, err := call[*kmsg.MetadataResponse](c, req)
	if err != nil {
		return nil, err
	}
	ids := make(map[string][16]byte)
	for _, t := range resp.Topics {
		if !t.IsInternal {
			ids[*t.Topic] = t.TopicID
		}
	}
	return ids, nil
}

func (c *client) newProducer() (id int64, err error) {
	req := kmsg.NewPtrInitProducerIDRequest()
	resp, err := call[*kmsg.InitProducerIDResponse](c, req)
	if err != nil {
		return -1, err
	}
	return resp.ProducerID, kerr.ErrorForCode(resp.ErrorCode)
}

// produce appends one batch with acks=all and returns its offset.
func (c *client) produce(topic string, partition int32, batch []byte) (int64, error) {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, int32(patience.Milliseconds())
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, batch
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := call[*kmsg.ProduceResponse](c, req)
	if err != nil {
		return -1, err
	}
	at := resp.Topics[0].Partitions[0]
	return at.BaseOffset, refusal(at.ErrorCode, at.ErrorMessage)
}

// fetched is what one fetch of one partition said.
type fetched struct {
	start, highWatermark int64
	records              []byte
}

func (c *client) fetch(topic string, partition int32, offset int64) (fetched, error) {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID, req.MaxBytes, req.SessionEpoch = -1, 1<<20, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = partition, offset, 1<<20, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := call[*kmsg.FetchResponse](c, req)
	if err != nil {
		return fetched{}, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return fetched{}, err
	}
	at := resp.Topics[0].Partitions[0]
	return fetched{at.LogStartOffset, at.HighWatermark, at.RecordBatches}, kerr.ErrorForCode(at.ErrorCode)
}

func (c *client) offset(topic string, partition int32, timestamp int64) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp, p.CurrentLeaderEpoch = partition, timestamp, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := call[*kmsg.ListOffsetsResponse](c, req)
	if err != nil {
		return -1, err
	}
	at := resp.Topics[0].Partitions[0]
	return at.Offset, kerr.ErrorForCode(at.ErrorCode)
}

func (c *client) epochEnd(topic string, partition, epoch int32) (int64, error) {
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	req.ReplicaID = -1
	t := kmsg.NewOffsetForLeaderEpochRequestTopic()
	t.Topic = topic
	p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
	p.Partition, p.LeaderEpoch, p.CurrentLeaderEpoch = partition, epoch, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := call[*kmsg.OffsetForLeaderEpochResponse](c, req)
	if err != nil {
		return -1, err
	}
	at := resp.Topics[0].Partitions[0]
	return at.EndOffset, kerr.ErrorForCode(at.ErrorCode)
}

func (c *client) deleteRecords(topic string, partition int32, before int64) error {
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 10_000
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic = topic
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = partition, before
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := call[*kmsg.DeleteRecordsResponse](c, req)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}

// commit commits an offset for a group that has no members. The coordinator may still be loading or being made.
func (c *client) commit(group, topic string, partition int32, offset int64) error {
	return c.whenCoordinated(group, func() error {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation = group, -1
		t := kmsg.NewOffsetCommitRequestTopic()
		t.Topic = topic
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch = partition, offset, -1
		t.Partitions = append(t.Partitions, p)
		req.Topics = append(req.Topics, t)
		resp, err := call[*kmsg.OffsetCommitResponse](c, req)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	})
}

func (c *client) committed(group, topic string, partition int32) (offset int64, err error) {
	err = c.whenCoordinated(group, func() error {
		req := kmsg.NewPtrOffsetFetchRequest()
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = group
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.Partitions = topic, []int32{partition}
		g.Topics = append(g.Topics, t)
		req.Groups = append(req.Groups, g)
		resp, err := call[*kmsg.OffsetFetchResponse](c, req)
		if err != nil {
			return err
		}
		if err := kerr.ErrorForCode(resp.Groups[0].ErrorCode); err != nil {
			return err
		}
		at := resp.Groups[0].Topics[0].Partitions[0]
		offset = at.Offset
		return kerr.ErrorForCode(at.ErrorCode)
	})
	return offset, err
}

// whenCoordinated has the group's coordinator made, and asks again while it is on its way.
func (c *client) whenCoordinated(group string, ask func() error) error {
	deadline := time.Now().Add(patience)
	for {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorType, req.CoordinatorKeys = 0, []string{group}
		resp, err := call[*kmsg.FindCoordinatorResponse](c, req)
		if err != nil {
			return err
		}
		if err = kerr.ErrorForCode(resp.Coordinators[0].ErrorCode); err == nil {
			err = ask()
		}
		if !errors.Is(err, kerr.CoordinatorNotAvailable) && !errors.Is(err, kerr.CoordinatorLoadInProgress) &&
			!errors.Is(err, kerr.NotCoordinator) || c.giveUp(deadline) {
			return err
		}
	}
}

// whenLed asks again while a partition's log is being recovered.
func (c *client) whenLed(ask func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := ask()
		if !errors.Is(err, kerr.NotLeaderForPartition) || c.giveUp(deadline) {
			return err
		}
	}
}
