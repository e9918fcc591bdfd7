//go:build suite

package oracle

import (
	"bytes"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// with changes the only partition of a Fetch request.
func fetching(version int16, from topic, offset int64, change func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition)) *kmsg.FetchRequest {
	r := fetch(version, from, 0, offset)
	change(r, &r.Topics[0].Partitions[0])
	return r
}

func aboutFetch() []conversation {
	return []conversation{
		since(kmsg.Fetch, 4, "records", func(t *Talk) {
			from := t.Topic("", 2)
			t.Write(from, 0, batchOf(recs(5)...).bytes(), batchOf(recs(3)...).packed(zstd).bytes(), batchOf(recs(2)...).packed(lz4).bytes())
			for _, offset := range []int64{0, 3, 4, 5, 6, 9, 10} {
				t.Ask("from "+number(offset), fetch(t.Version, from, 0, offset))
			}
			t.Ask("an empty partition", fetch(t.Version, from, 1, 0))
		}),
		every(kmsg.Fetch, "bad targets", func(t *Talk) {
			from := t.Topic("", 1)
			t.Write(from, 0, batchOf(recs(2)...).bytes())
			t.Ask("past the end", fetch(t.Version, from, 0, 3))
			t.Ask("far past the end", fetch(t.Version, from, 0, 1<<60))
			t.Ask("before the start", fetch(t.Version, from, 0, -1))
			t.Ask("unknown partition", fetch(t.Version, from, 7, 0))
			t.Ask("negative partition", fetch(t.Version, from, -1, 0))
			t.Ask("unknown topic", fetch(t.Version, topic{name: t.Name + "-none", id: [16]byte{1, 2}}, 0, 0))
			t.Ask("no name", fetch(t.Version, topic{}, 0, 0))
			r := fetch(t.Version, from, 0, 0)
			r.Topics = nil
			t.Ask("nothing", r)
			t.Ask("a good and a bad one", fetching(t.Version, from, 0, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) {
				bad := kmsg.NewFetchRequestTopicPartition()
				bad.Partition, bad.PartitionMaxBytes = 4, 1000
				r.Topics[0].Partitions = append(r.Topics[0].Partitions, bad)
			}))
		}),
		since(kmsg.Fetch, 4, "isolation", func(t *Talk) {
			from := t.Topic("", 1)
			t.Write(from, 0, batchOf(recs(2)...).bytes())
			for _, level := range []int8{1, 2, -1} {
				r := fetch(t.Version, from, 0, 0)
				r.IsolationLevel = level
				t.Ask("level "+number(int16(level)), r)
			}
		}),
		since(kmsg.Fetch, 4, "limits", func(t *Talk) {
			from := t.Topic("", 2)
			big := batchOf(record{value: bytes.Repeat([]byte("x"), 5000)}).bytes()
			t.Write(from, 0, big, big, big)
			t.Write(from, 1, big, big, big)
			limited := func(step string, change func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition)) {
				t.Ask(step, fetching(t.Version, from, 0, change))
			}
			limited("partition 1 byte", func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.PartitionMaxBytes = 1 })
			limited("partition 0 bytes", func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.PartitionMaxBytes = 0 })
			limited("partition -1 bytes", func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.PartitionMaxBytes = -1 })
			limited("partition one and a half batches", func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.PartitionMaxBytes = 8000 })
			limited("partition two batches", func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) {
				p.PartitionMaxBytes = int32(2 * len(big))
			})
			limited("all 1 byte", func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.MaxBytes = 1 })
			limited("all 0 bytes", func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.MaxBytes = 0 })
			limited("all -1 bytes", func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.MaxBytes = -1 })
			limited("all one and a half batches", func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.MaxBytes = 8000 })
			two := func(step string, max, each int32) {
				limited(step, func(r *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) {
					r.MaxBytes, p.PartitionMaxBytes = max, each
					other := *p
					other.Partition = 1
					r.Topics[0].Partitions = append(r.Topics[0].Partitions, other)
				})
			}
			two("two partitions 1 byte", 1, 1)
			two("two partitions 1 byte each", 1<<20, 1)
			two("two partitions 3 batches", int32(3*len(big)), 1<<20)
			two("two partitions 4 batches", int32(4*len(big)), 1<<20)
			two("two partitions 2 batches each", 1<<20, int32(2*len(big)))
		}),
		every(kmsg.Fetch, "waiting", func(t *Talk) {
			from := t.Topic("", 1)
			waiting := func(ms, bytes int32) *kmsg.FetchRequest {
				r := fetch(t.Version, from, 0, 0)
				r.MaxWaitMillis, r.MinBytes = ms, bytes
				return r
			}
			t.Ask("in vain", waiting(50, 1))
			t.Ask("min bytes 0", waiting(30000, 0))
			t.Ask("min bytes -1", waiting(30000, -1))
			t.Ask("negative wait", waiting(-1, 1))
			parked := t.Send("parked", waiting(30000, 1))
			t.Write(from, 0, batchOf(recs(1)...).bytes())
			t.Take("woken", parked)
			t.Ask("too little", waiting(50, 100000))
			t.Ask("an error does not wait", fetching(t.Version, from, 77, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) {
				r.MaxWaitMillis, r.MinBytes = 30000, 1
			}))
		}),
		since(kmsg.Fetch, 9, "leader epochs", func(t *Talk) {
			from := t.Topic("", 1)
			t.Write(from, 0, batchOf(recs(2)...).bytes())
			for _, epoch := range []int32{0, -1, -2, 1, 1000} {
				t.Ask("current "+number(epoch), fetching(t.Version, from, 0, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) {
					p.CurrentLeaderEpoch = epoch
				}))
			}
			if t.Version < 12 {
				return
			}
			for _, offset := range []int64{0, 2, 5} {
				for _, epoch := range []int32{0, -1, -2, 1, 1000} {
					t.Ask("last fetched "+number(epoch)+" at "+number(offset), fetching(t.Version, from, offset, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) {
						p.LastFetchedEpoch = epoch
					}))
				}
			}
		}),
		every(kmsg.Fetch, "followers", func(t *Talk) {
			from := t.Topic("", 1)
			t.Write(from, 0, batchOf(recs(2)...).bytes())
			for _, replica := range []int32{-2, -3, 1, 77} {
				r := fetch(t.Version, from, 0, 0)
				r.ReplicaID, r.ReplicaState.ID = replica, replica
				r.MaxBytes = 1 << 20
				t.Ask("replica "+number(replica), r)
			}
		}),
		since(kmsg.Fetch, 11, "a rack", func(t *Talk) {
			from := t.Topic("", 1)
			t.Write(from, 0, batchOf(recs(2)...).bytes())
			r := fetch(t.Version, from, 0, 0)
			r.Rack = "somewhere"
			t.Ask("answer", r)
		}),
		since(kmsg.Fetch, 12, "a cluster id", func(t *Talk) {
			from := t.Topic("", 1)
			r := fetch(t.Version, from, 0, 0)
			r.ClusterID = kmsg.StringPtr("wrong")
			t.Ask("wrong", r)
		}),
		since(kmsg.Fetch, 4, "start after deleted records", func(t *Talk) {
			from := t.Topic("", 1)
			t.Write(from, 0, batchOf(recs(5)...).bytes(), batchOf(recs(5)...).bytes())
			t.Must(deleteRecords(2, from.name, 0, 3))
			t.Ask("below", fetch(t.Version, from, 0, 2))
			t.Ask("at", fetch(t.Version, from, 0, 3))
		}),
		since(kmsg.Fetch, 7, "sessions", aFetchSession),
		since(kmsg.Fetch, 7, "wrong sessions", func(t *Talk) {
			from := t.Topic("", 1)
			session := func(step string, id, epoch int32) kmsg.Response {
				return t.Ask(step, fetching(t.Version, from, 0, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) {
					r.SessionID, r.SessionEpoch = id, epoch
				}))
			}
			session("unknown id", 12345, 1)
			session("unknown id negative", -5, 1)
			session("closing an unknown one", 12345, -1)
			session("new with an unknown id", 12345, 0)
			session("id 0 epoch 1", 0, 1)
			session("epoch -2", 0, -2)
			made := session("made", 0, 0).(*kmsg.FetchResponse).SessionID
			session("too new an epoch", made, 5)
			session("epoch 1 after that", made, 1)
			session("the same epoch again", made, 1)
			session("closed", made, -1)
			session("after it was closed", made, 2)
		}),
	}
}

// aFetchSession is the life of one: made full, asked incrementally, changed, closed.
func aFetchSession(t *Talk) {
	from := t.Topic("", 3)
	other := t.Topic("-other", 1)
	t.Write(from, 0, batchOf(recs(2)...).bytes())
	r := fetch(t.Version, from, 0, 0)
	r.SessionEpoch = 0
	for p := range int32(2) {
		one := kmsg.NewFetchRequestTopicPartition()
		one.Partition, one.PartitionMaxBytes = p+1, 1<<20
		r.Topics[0].Partitions = append(r.Topics[0].Partitions, one)
	}
	id := t.Ask("full", r).(*kmsg.FetchResponse).SessionID
	epoch := int32(0)
	next := func(step string, change func(r *kmsg.FetchRequest)) {
		epoch++
		r := kmsg.NewPtrFetchRequest()
		r.Version, r.ReplicaID, r.SessionID, r.SessionEpoch, r.MaxBytes = t.Version, -1, id, epoch, 1<<20
		change(r)
		t.Ask(step, r)
	}
	next("the same again", func(*kmsg.FetchRequest) {})
	advanced := func(r *kmsg.FetchRequest) {
		f := fetch(t.Version, from, 0, 2)
		r.Topics = f.Topics
	}
	next("advanced", advanced)
	next("nothing new", func(*kmsg.FetchRequest) {})
	t.Write(from, 2, batchOf(recs(1)...).bytes())
	next("one has changed", func(*kmsg.FetchRequest) {})
	parked := kmsg.NewPtrFetchRequest()
	epoch++
	parked.Version, parked.ReplicaID, parked.SessionID, parked.SessionEpoch, parked.MaxBytes = t.Version, -1, id, epoch, 1<<20
	parked.MaxWaitMillis, parked.MinBytes = 30000, 100
	f := fetch(t.Version, from, 2, 1)
	parked.Topics = f.Topics
	p := t.Send("", parked)
	u := newTalk(t.node, t.Name, t.Version)
	u.Write(from, 1, batchOf(recs(9)...).bytes())
	u.closeAll()
	t.Take("woken", p)
	next("another topic", func(r *kmsg.FetchRequest) { r.Topics = fetch(t.Version, other, 0, 0).Topics })
	forget := func(name topic, partitions ...int32) kmsg.FetchRequestForgottenTopic {
		f := kmsg.NewFetchRequestForgottenTopic()
		f.Topic, f.TopicID, f.Partitions = name.name, name.id, partitions
		return f
	}
	next("one forgotten", func(r *kmsg.FetchRequest) { r.ForgottenTopics = append(r.ForgottenTopics, forget(from, 1)) })
	next("an unknown one forgotten", func(r *kmsg.FetchRequest) {
		r.ForgottenTopics = append(r.ForgottenTopics, forget(topic{name: "nowhere", id: [16]byte{9}}, 0))
	})
	next("an unknown partition added", func(r *kmsg.FetchRequest) { r.Topics = fetch(t.Version, from, 9, 0).Topics })
	next("it is told again", func(*kmsg.FetchRequest) {})
	next("a bad offset", func(r *kmsg.FetchRequest) { r.Topics = fetch(t.Version, other, 0, 55).Topics })
	next("it is told again too", func(*kmsg.FetchRequest) {})
	t.Must(deleteTopic(other.name))
	t.await("the topic to be gone", func() bool {
		got := t.Must(listOffsets(2, other.name, -1, 1)).(*kmsg.ListOffsetsResponse)
		return got.Topics[0].Partitions[0].ErrorCode == 3
	})
	next("the topic was deleted", func(*kmsg.FetchRequest) {})
	last := kmsg.NewPtrFetchRequest()
	last.Version, last.ReplicaID, last.SessionID, last.SessionEpoch, last.MaxBytes = t.Version, -1, id, -1, 1<<20
	t.Ask("closed", last)
}

func deleteTopic(name string) *kmsg.DeleteTopicsRequest {
	r := kmsg.NewPtrDeleteTopicsRequest()
	r.Version, r.TimeoutMillis, r.TopicNames = 4, 30000, []string{name}
	return r
}

func deleteRecords(version int16, name string, partition int32, before int64) *kmsg.DeleteRecordsRequest {
	r := kmsg.NewPtrDeleteRecordsRequest()
	r.Version, r.TimeoutMillis = version, 10000
	one := kmsg.NewDeleteRecordsRequestTopic()
	one.Topic = name
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = partition, before
	one.Partitions = append(one.Partitions, p)
	r.Topics = append(r.Topics, one)
	return r
}

func aboutOffsets() []conversation {
	return []conversation{
		every(kmsg.ListOffsets, "timestamps", func(t *Talk) {
			of := t.Topic("", 2)
			t.Write(of, 0, batchOf(recs(5)...).bytes(), batchOf(record{value: []byte("old"), delta: -1000}).bytes(), batchOf(record{value: []byte("new"), delta: 5000}, record{value: []byte("x"), delta: 4000}).packed(gzip).bytes())
			for _, at := range []int64{-1, -2, -3, -4, -5, -6, -7, -100, 0, baseTime - 1000, baseTime, baseTime + 2, baseTime + 3, baseTime + 4500, baseTime + 5000, baseTime + 5001, 1 << 60} {
				t.Ask("at "+number(at), listOffsets(t.Version, of.name, at, 2))
			}
			t.Must(deleteRecords(2, of.name, 0, 3))
			for _, at := range []int64{-1, -2, -3, -4, 0, baseTime, baseTime + 3} {
				t.Ask("with deleted records at "+number(at), listOffsets(t.Version, of.name, at, 1))
			}
		}),
		every(kmsg.ListOffsets, "bad input", func(t *Talk) {
			of := t.Topic("", 1)
			t.Ask("unknown topic", listOffsets(t.Version, t.Name+"-none", -1, 1))
			t.Ask("unknown partition", listOffsets(t.Version, of.name, -1, 2))
			t.Ask("empty topic name", listOffsets(t.Version, "", -1, 1))
			r := listOffsets(t.Version, of.name, -1, 1)
			r.Topics[0].Partitions = append(r.Topics[0].Partitions, r.Topics[0].Partitions[0])
			t.Ask("a partition twice", r)
			r = listOffsets(t.Version, of.name, -1, 1)
			r.Topics = nil
			t.Ask("nothing", r)
			for _, replica := range []int32{-2, 1, 77} {
				r := listOffsets(t.Version, of.name, -1, 1)
				r.ReplicaID = replica
				t.Ask("replica "+number(replica), r)
			}
		}),
		since(kmsg.ListOffsets, 2, "isolation", func(t *Talk) {
			of := t.Topic("", 1)
			t.Write(of, 0, batchOf(recs(2)...).bytes())
			for _, level := range []int8{1, 2, -1} {
				r := listOffsets(t.Version, of.name, -1, 1)
				r.IsolationLevel = level
				t.Ask("level "+number(int16(level)), r)
			}
		}),
		between(kmsg.ListOffsets, 0, 0, "many offsets", func(t *Talk) {
			of := t.Topic("", 1, "segment.bytes", "1048576")
			big := batchOf(record{value: bytes.Repeat([]byte("x"), 700_000)}).bytes()
			t.Write(of, 0, big, big, big, batchOf(recs(3)...).bytes())
			for _, most := range []int32{0, 1, 2, 10, -1} {
				r := listOffsets(t.Version, of.name, -1, 1)
				r.Topics[0].Partitions[0].MaxNumOffsets = most
				t.Ask("latest "+number(most), r)
				r.Topics[0].Partitions[0].Timestamp = time.Now().UnixMilli() + 60000
				t.Ask("now "+number(most), r)
			}
		}),
		since(kmsg.ListOffsets, 4, "leader epochs", func(t *Talk) {
			of := t.Topic("", 1)
			t.Write(of, 0, batchOf(recs(2)...).bytes())
			for _, epoch := range []int32{0, -1, -2, 1, 1000} {
				r := listOffsets(t.Version, of.name, -1, 1)
				r.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch
				t.Ask("epoch "+number(epoch), r)
			}
		}),
		every(kmsg.OffsetForLeaderEpoch, "epochs", func(t *Talk) {
			of := t.Topic("", 1)
			t.Write(of, 0, batchOf(recs(2)...).bytes())
			asking := func(name string, partition, current, epoch, replica int32) *kmsg.OffsetForLeaderEpochRequest {
				r := kmsg.NewPtrOffsetForLeaderEpochRequest()
				r.Version, r.ReplicaID = t.Version, replica
				one := kmsg.NewOffsetForLeaderEpochRequestTopic()
				one.Topic = name
				p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
				p.Partition, p.CurrentLeaderEpoch, p.LeaderEpoch = partition, current, epoch
				one.Partitions = append(one.Partitions, p)
				r.Topics = append(r.Topics, one)
				return r
			}
			for _, epoch := range []int32{0, 1, 1000, -1, -2} {
				t.Ask("epoch "+number(epoch), asking(of.name, 0, -1, epoch, -1))
				t.Ask("current "+number(epoch), asking(of.name, 0, epoch, 0, -1))
			}
			t.Ask("unknown topic", asking(t.Name+"-none", 0, -1, 0, -1))
			t.Ask("unknown partition", asking(of.name, 4, -1, 0, -1))
			t.Ask("a replica", asking(of.name, 0, -1, 0, 1))
			t.Ask("a debugging replica", asking(of.name, 0, -1, 0, -2))
			nothing := kmsg.NewPtrOffsetForLeaderEpochRequest()
			nothing.Version = t.Version
			t.Ask("nothing", nothing)
		}),
		every(kmsg.DeleteRecords, "deleting", func(t *Talk) {
			of := t.Topic("", 2)
			t.Write(of, 0, batchOf(recs(5)...).bytes(), batchOf(recs(5)...).bytes())
			for _, offset := range []int64{3, 2, 0, 11, 1 << 60, -2, 5, -1, 10} {
				t.Ask("before "+number(offset), deleteRecords(t.Version, of.name, 0, offset))
			}
			t.Ask("an empty partition", deleteRecords(t.Version, of.name, 1, -1))
			t.Ask("unknown partition", deleteRecords(t.Version, of.name, 5, 0))
			t.Ask("unknown topic", deleteRecords(t.Version, t.Name+"-none", 0, 0))
			t.Ask("offsets topic", deleteRecords(t.Version, "__consumer_offsets", 0, 0))
			compacted := t.Topic("-compacted", 1, "cleanup.policy", "compact")
			t.Ask("compacted", deleteRecords(t.Version, compacted.name, 0, 0))
			both := t.Topic("-both", 1, "cleanup.policy", "compact,delete")
			t.Ask("compacted and deleted", deleteRecords(t.Version, both.name, 0, 0))
			r := deleteRecords(t.Version, of.name, 0, 0)
			r.TimeoutMillis = -1
			t.Ask("timeout -1", r)
			r.Topics = nil
			t.Ask("nothing", r)
			t.Contents("contents", of, 0)
		}),
		every(kmsg.DescribeProducers, "bad input", func(t *Talk) {
			of := t.Topic("", 1)
			asking := func(name string, partitions ...int32) *kmsg.DescribeProducersRequest {
				r := kmsg.NewPtrDescribeProducersRequest()
				one := kmsg.NewDescribeProducersRequestTopic()
				one.Topic, one.Partitions = name, partitions
				r.Topics = append(r.Topics, one)
				return r
			}
			t.Ask("none", asking(of.name, 0))
			t.Ask("unknown partition", asking(of.name, 0, 3))
			t.Ask("unknown topic", asking(t.Name+"-none", 0))
			t.Ask("bad name", asking("a b", 0))
			t.Ask("no partitions", asking(of.name))
			t.Ask("nothing", kmsg.NewPtrDescribeProducersRequest())
		}),
	}
}
