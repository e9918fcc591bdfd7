//go:build suite

package oracle

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

func metadata(version int16, names ...string) *kmsg.MetadataRequest {
	r := kmsg.NewPtrMetadataRequest()
	r.Version, r.Topics = version, []kmsg.MetadataRequestTopic{}
	for _, name := range names {
		one := kmsg.NewMetadataRequestTopic()
		one.Topic = &name
		r.Topics = append(r.Topics, one)
	}
	return r
}

// AskBare asks for the versions and records the answer without them: what is served is compared once.
func (t *Talk) AskBare(step string, r *kmsg.ApiVersionsRequest) {
	response, err := t.Send("", r).take(answerTime)
	if got, ok := response.(*kmsg.ApiVersionsResponse); ok && got.ErrorCode == 0 {
		got.ApiKeys, got.SupportedFeatures, got.FinalizedFeatures = nil, nil, nil
	}
	t.record(step, response, err)
}

func aboutMetadata() []conversation {
	return []conversation{
		byItself(every(kmsg.Metadata, "all topics", func(t *Talk) {
			t.Topic("", 2)
			r := metadata(t.Version)
			r.Topics = nil
			t.Ask("all", r)
		})),
		every(kmsg.Metadata, "topics", func(t *Talk) {
			a, b := t.Topic("-a", 2), t.Topic("-b", 1)
			t.Ask("one", metadata(t.Version, a.name))
			t.Ask("two", metadata(t.Version, b.name, a.name))
			if t.Version >= 1 {
				t.Ask("none", metadata(t.Version))
			}
			t.Ask("unknown", metadata(t.Version, t.Name+"-none"))
			t.Ask("the same twice", metadata(t.Version, a.name, a.name))
			t.Ask("bad names", metadata(t.Version, "a b", ".", ""))
			t.Ask("the offsets topic", metadata(t.Version, "__consumer_offsets"))
			t.Ask("the metadata topic", metadata(t.Version, "__cluster_metadata"))
			t.Ask("a known and an unknown one", metadata(t.Version, t.Name+"-nor", a.name)) // the other one may have been created by now
		}),
		since(kmsg.Metadata, 4, "creating", func(t *Talk) {
			r := metadata(t.Version, t.Name)
			r.AllowAutoTopicCreation = true
			t.Ask("first", r)
			t.Until("then", r, func(r kmsg.Response) bool {
				topics := r.(*kmsg.MetadataResponse).Topics
				return topics[0].ErrorCode == 0 && len(topics[0].Partitions) > 0 && topics[0].Partitions[0].ErrorCode == 0
			})
			r = metadata(t.Version, "a b", t.Name+"-x", t.Name+"-y")
			r.AllowAutoTopicCreation = true
			t.Ask("several", r)
			r = metadata(t.Version, t.Name+"-a_b")
			r.AllowAutoTopicCreation = true
			t.Ask("first of two that collide", r)
			t.awaitTopic(t.Name+"-a_b", 2)
			r = metadata(t.Version, t.Name+"-a.b")
			r.AllowAutoTopicCreation = true
			t.Ask("second of two that collide", r)
		}),
		between(kmsg.Metadata, 0, 3, "creating without being asked", func(t *Talk) {
			t.Ask("first", metadata(t.Version, t.Name))
			t.Until("then", metadata(t.Version, t.Name), func(r kmsg.Response) bool {
				topics := r.(*kmsg.MetadataResponse).Topics
				return topics[0].ErrorCode == 0 && len(topics[0].Partitions) > 0 && topics[0].Partitions[0].ErrorCode == 0
			})
		}),
		since(kmsg.Metadata, 8, "authorized operations", func(t *Talk) {
			a := t.Topic("", 1)
			r := metadata(t.Version, a.name)
			r.IncludeTopicAuthorizedOperations, r.IncludeClusterAuthorizedOperations = true, true
			t.Ask("both", r)
		}),
		since(kmsg.Metadata, 10, "ids", func(t *Talk) {
			a := t.Topic("", 1)
			byID := func(name *string, id [16]byte) *kmsg.MetadataRequest {
				r := metadata(t.Version)
				one := kmsg.NewMetadataRequestTopic()
				one.Topic, one.TopicID = name, id
				r.Topics = append(r.Topics, one)
				return r
			}
			if t.Version >= 12 {
				t.Ask("by id", byID(nil, a.id))
				t.Ask("neither", byID(nil, [16]byte{}))
				t.Ask("unknown id", byID(nil, [16]byte{1, 2, 3}))
				mixed := byID(nil, a.id)
				mixed.Topics = append(mixed.Topics, metadata(t.Version, a.name).Topics...)
				t.Ask("by id and name", mixed)
			} else {
				empty := ""
				t.Ask("by id", byID(&empty, a.id))
			}
			t.Ask("both", byID(&a.name, a.id))
			t.Ask("name and a wrong id", byID(&a.name, [16]byte{1, 2, 3}))
		}),
		every(kmsg.DescribeCluster, "describing", func(t *Talk) {
			asking := func(change func(r *kmsg.DescribeClusterRequest)) *kmsg.DescribeClusterRequest {
				r := kmsg.NewPtrDescribeClusterRequest()
				r.Version, r.EndpointType = t.Version, 1
				change(r)
				return r
			}
			t.Ask("plain", asking(func(*kmsg.DescribeClusterRequest) {}))
			t.Ask("operations", asking(func(r *kmsg.DescribeClusterRequest) { r.IncludeClusterAuthorizedOperations = true }))
			if t.Version >= 1 {
				t.Ask("controllers", asking(func(r *kmsg.DescribeClusterRequest) { r.EndpointType = 2 }))
				t.Ask("unknown endpoints", asking(func(r *kmsg.DescribeClusterRequest) { r.EndpointType = 9 }))
			}
			if t.Version >= 2 {
				t.Ask("fenced brokers", asking(func(r *kmsg.DescribeClusterRequest) { r.IncludeFencedBrokers = true }))
			}
		}),
		every(kmsg.DescribeTopicPartitions, "describing", func(t *Talk) {
			a, b := t.Topic("-a", 3), t.Topic("-b", 2)
			asking := func(limit int32, cursor *kmsg.DescribeTopicPartitionsRequestCursor, names ...string) *kmsg.DescribeTopicPartitionsRequest {
				r := kmsg.NewPtrDescribeTopicPartitionsRequest()
				r.ResponsePartitionLimit, r.Cursor = limit, cursor
				for _, name := range names {
					one := kmsg.NewDescribeTopicPartitionsRequestTopic()
					one.Topic = name
					r.Topics = append(r.Topics, one)
				}
				return r
			}
			at := func(name string, partition int32) *kmsg.DescribeTopicPartitionsRequestCursor {
				c := kmsg.NewDescribeTopicPartitionsRequestCursor()
				c.Topic, c.Partition = name, partition
				return &c
			}
			t.Ask("one", asking(2000, nil, a.name))
			t.Ask("two", asking(2000, nil, b.name, a.name))
			t.Ask("the same twice", asking(2000, nil, a.name, a.name))
			t.Ask("unknown", asking(2000, nil, t.Name+"-none", a.name))
			t.Ask("bad name", asking(2000, nil, "a b"))
			t.Ask("empty name", asking(2000, nil, ""))
			for _, limit := range []int32{1, 2, 3, 4, 5, 0, -1} {
				t.Ask("limit "+number(limit), asking(limit, nil, a.name, b.name))
			}
			t.Ask("cursor at the start", asking(2, at(a.name, 0), a.name, b.name))
			t.Ask("cursor in the middle", asking(2, at(a.name, 2), a.name, b.name))
			t.Ask("cursor at the second", asking(2000, at(b.name, 1), a.name, b.name))
			t.Ask("cursor past the end", asking(2000, at(b.name, 7), a.name, b.name))
			t.Ask("cursor at an unknown topic", asking(2000, at(a.name+"x", 0), a.name, b.name))
			t.Ask("cursor negative", asking(2000, at(a.name, -1), a.name, b.name))
			t.Ask("the offsets topic", asking(2000, nil, "__consumer_offsets"))
		}),
		byItself(every(kmsg.DescribeTopicPartitions, "all topics", func(t *Talk) {
			t.Topic("", 2)
			r := kmsg.NewPtrDescribeTopicPartitionsRequest()
			r.ResponsePartitionLimit = 2000
			r.Topics = []kmsg.DescribeTopicPartitionsRequestTopic{}
			t.Ask("all", r)
		})),
		every(kmsg.DescribeLogDirs, "directories", func(t *Talk) {
			a := t.Topic("", 2)
			t.Write(a, 0, batchOf(recs(10)...).bytes())
			asking := func(name string, partitions ...int32) *kmsg.DescribeLogDirsRequest {
				r := kmsg.NewPtrDescribeLogDirsRequest()
				r.Version = t.Version
				one := kmsg.NewDescribeLogDirsRequestTopic()
				one.Topic, one.Partitions = name, partitions
				r.Topics = append(r.Topics, one)
				return r
			}
			t.Ask("one", asking(a.name, 0, 1))
			t.Ask("unknown partition", asking(a.name, 0, 7))
			t.Ask("unknown topic", asking(t.Name+"-none", 0))
			t.Ask("no partitions", asking(a.name))
			nothing := asking(a.name)
			nothing.Topics = []kmsg.DescribeLogDirsRequestTopic{}
			t.Ask("nothing", nothing)
		}),
		every(kmsg.ApiVersions, "asking", func(t *Talk) {
			asking := func(change func(r *kmsg.ApiVersionsRequest)) *kmsg.ApiVersionsRequest {
				r := kmsg.NewPtrApiVersionsRequest()
				r.Version, r.ClientSoftwareName, r.ClientSoftwareVersion, r.NodeID = t.Version, "oracle", "1.0", -1
				change(r)
				return r
			}
			t.Ask("good", asking(func(*kmsg.ApiVersionsRequest) {}))
			if t.Version < 3 {
				return
			}
			for _, name := range []string{"", "a b", "-a", "a-", "a.b-c", "é"} {
				t.AskBare("name "+name, asking(func(r *kmsg.ApiVersionsRequest) { r.ClientSoftwareName = name }))
				t.AskBare("version "+name, asking(func(r *kmsg.ApiVersionsRequest) { r.ClientSoftwareVersion = name }))
			}
			if t.Version >= 5 {
				t.Ask("wrong cluster", asking(func(r *kmsg.ApiVersionsRequest) { r.ClusterID = kmsg.StringPtr("wrong") }))
				t.Ask("wrong node", asking(func(r *kmsg.ApiVersionsRequest) { r.NodeID = 77 }))
				t.Ask("right node", asking(func(r *kmsg.ApiVersionsRequest) { r.NodeID = 1 }))
				t.Ask("wrong cluster and right node", asking(func(r *kmsg.ApiVersionsRequest) { r.ClusterID, r.NodeID = kmsg.StringPtr("wrong"), 1 }))
			}
		}),
	}
}
