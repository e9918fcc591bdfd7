//go:build suite

package oracle

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// topic is one that a conversation made.
type topic struct {
	name string
	id   [16]byte
}

// Topic creates a topic named after the conversation and waits until its partitions take records.
func (t *Talk) Topic(suffix string, partitions int32, configs ...string) topic {
	r := kmsg.NewPtrCreateTopicsRequest()
	r.Version, r.TimeoutMillis = 5, 30000
	made := kmsg.NewCreateTopicsRequestTopic()
	made.Topic, made.NumPartitions, made.ReplicationFactor = t.Name+suffix, partitions, 1
	for i := 0; i+1 < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], kmsg.StringPtr(configs[i+1])
		made.Configs = append(made.Configs, c)
	}
	r.Topics = append(r.Topics, made)
	created := t.Must(r).(*kmsg.CreateTopicsResponse).Topics[0]
	if created.ErrorCode != 0 {
		panic(failed{fmt.Errorf("create %s: error %d %v", made.Topic, created.ErrorCode, created.ErrorMessage)})
	}
	return topic{made.Topic, t.awaitTopic(made.Topic, partitions)}
}

// awaitTopic waits until all partitions of a topic are led, and answers its id.
func (t *Talk) awaitTopic(name string, partitions int32) [16]byte {
	t.await("offsets of "+name, func() bool {
		r := listOffsets(2, name, -1, partitions)
		for _, p := range t.Must(r).(*kmsg.ListOffsetsResponse).Topics[0].Partitions {
			if p.ErrorCode != 0 {
				return false
			}
		}
		return true
	})
	m := kmsg.NewPtrMetadataRequest()
	m.Version = 10
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = &name
	m.Topics = append(m.Topics, asked)
	return t.Must(m).(*kmsg.MetadataResponse).Topics[0].TopicID
}

// await asks until it is so.
func (t *Talk) await(what string, so func() bool) { t.awaitWithin(answerTime, what, so) }

func (t *Talk) awaitWithin(within time.Duration, what string, so func() bool) {
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(within); !so(); <-ticker.C {
		if time.Now().After(deadline) {
			panic(failed{fmt.Errorf("waited for %s in vain", what)})
		}
	}
}

func listOffsets(version int16, topic string, timestamp int64, partitions int32) *kmsg.ListOffsetsRequest {
	r := kmsg.NewPtrListOffsetsRequest()
	r.Version, r.ReplicaID = version, -1
	asked := kmsg.NewListOffsetsRequestTopic()
	asked.Topic = topic
	for p := range partitions {
		one := kmsg.NewListOffsetsRequestTopicPartition()
		one.Partition, one.Timestamp, one.MaxNumOffsets, one.CurrentLeaderEpoch = p, timestamp, 10, -1
		asked.Partitions = append(asked.Partitions, one)
	}
	r.Topics = append(r.Topics, asked)
	return r
}

// produce makes a Produce request of one partition, by name and id.
func produce(version int16, to topic, partition int32, records []byte) *kmsg.ProduceRequest {
	r := kmsg.NewPtrProduceRequest()
	r.Version, r.Acks, r.TimeoutMillis = version, -1, 10000
	asked := kmsg.NewProduceRequestTopic()
	asked.Topic, asked.TopicID = to.name, to.id
	one := kmsg.NewProduceRequestTopicPartition()
	one.Partition, one.Records = partition, records
	asked.Partitions = append(asked.Partitions, one)
	r.Topics = append(r.Topics, asked)
	return r
}

// Write prepares records in a partition.
func (t *Talk) Write(to topic, partition int32, batches ...[]byte) {
	for _, b := range batches {
		p := t.Must(produce(8, to, partition, b)).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		if p.ErrorCode != 0 {
			panic(failed{fmt.Errorf("write to %s: error %d %v", to.name, p.ErrorCode, p.ErrorMessage)})
		}
	}
}

// fetch makes a Fetch request of one partition, by name and id, that does not wait.
func fetch(version int16, from topic, partition int32, offset int64) *kmsg.FetchRequest {
	r := kmsg.NewPtrFetchRequest()
	r.Version, r.ReplicaID, r.MinBytes, r.MaxBytes, r.SessionEpoch = version, -1, 0, 50<<20, -1
	r.MaxWaitMillis = 0
	asked := kmsg.NewFetchRequestTopic()
	asked.Topic, asked.TopicID = from.name, from.id
	one := kmsg.NewFetchRequestTopicPartition()
	one.Partition, one.FetchOffset, one.PartitionMaxBytes = partition, offset, 1<<20
	asked.Partitions = append(asked.Partitions, one)
	r.Topics = append(r.Topics, asked)
	return r
}

// Contents records all that a partition holds, and where it begins and ends.
func (t *Talk) Contents(step string, of topic, partition int32) {
	t.Ask(step, fetch(11, of, partition, 0))
}

// New makes a request of the conversation's API and version, to be changed.
func asked[R kmsg.Request](version int16, r R, change func(r R)) R {
	r.SetVersion(version)
	change(r)
	return r
}
