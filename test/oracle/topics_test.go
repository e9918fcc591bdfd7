//go:build suite

package oracle

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// creating makes a CreateTopics request for one topic.
func creating(version int16, name string, change func(r *kmsg.CreateTopicsRequest, c *kmsg.CreateTopicsRequestTopic)) *kmsg.CreateTopicsRequest {
	r := kmsg.NewPtrCreateTopicsRequest()
	r.Version, r.TimeoutMillis = version, 30000
	c := kmsg.NewCreateTopicsRequestTopic()
	c.Topic, c.NumPartitions, c.ReplicationFactor = name, 1, 1
	r.Topics = append(r.Topics, c)
	change(r, &r.Topics[0])
	return r
}

func asIs(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic) {}

// configured sets configs of a topic to be created; "<null>" is null.
func configured(pairs ...string) func(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic) {
	return func(_ *kmsg.CreateTopicsRequest, c *kmsg.CreateTopicsRequestTopic) {
		for i := 0; i+1 < len(pairs); i += 2 {
			one := kmsg.NewCreateTopicsRequestTopicConfig()
			one.Name = pairs[i]
			if pairs[i+1] != "<null>" {
				one.Value = &pairs[i+1]
			}
			c.Configs = append(c.Configs, one)
		}
	}
}

func placed(partitions ...any) func(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic) {
	return func(_ *kmsg.CreateTopicsRequest, c *kmsg.CreateTopicsRequestTopic) {
		c.NumPartitions, c.ReplicationFactor = -1, -1
		for i := 0; i+1 < len(partitions); i += 2 {
			one := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
			one.Partition, one.Replicas = int32(partitions[i].(int)), partitions[i+1].([]int32)
			c.ReplicaAssignment = append(c.ReplicaAssignment, one)
		}
	}
}

func aboutTopics() []conversation {
	return []conversation{
		every(kmsg.CreateTopics, "creating", func(t *Talk) {
			create := func(step, suffix string, change func(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic)) {
				t.Ask(step, creating(t.Version, t.Name+suffix, change))
			}
			create("plain", "", asIs)
			create("again", "", asIs)
			create("three partitions with configs", "-configs", func(r *kmsg.CreateTopicsRequest, c *kmsg.CreateTopicsRequestTopic) {
				configured("retention.ms", "1000", "cleanup.policy", "compact")(r, c)
				c.NumPartitions = 3
			})
			counts := func(partitions int32, factor int16) func(*kmsg.CreateTopicsRequest, *kmsg.CreateTopicsRequestTopic) {
				return func(_ *kmsg.CreateTopicsRequest, c *kmsg.CreateTopicsRequestTopic) {
					c.NumPartitions, c.ReplicationFactor = partitions, factor
				}
			}
			create("default counts", "-defaults", counts(-1, -1))
			create("no partitions", "-zero", counts(0, 1))
			create("-2 partitions", "-minus", counts(-2, 1))
			create("factor 0", "-factor0", counts(1, 0))
			create("factor -2", "-factorminus", counts(1, -2))
			create("factor 2", "-factor2", counts(1, 2))
			create("bad count and factor", "-bothbad", counts(0, 0))
			create("a million partitions", "-million", counts(1_000_000, 1))
			create("2^31-1 partitions", "-huge", counts(1<<31-1, 1))
			nothing := kmsg.NewPtrCreateTopicsRequest()
			nothing.Version = t.Version
			t.Ask("nothing", nothing)
			if t.Version >= 1 {
				create("validate only", "-validated", func(r *kmsg.CreateTopicsRequest, _ *kmsg.CreateTopicsRequestTopic) { r.ValidateOnly = true })
				create("validate only with configs", "-validated", func(r *kmsg.CreateTopicsRequest, c *kmsg.CreateTopicsRequestTopic) {
					configured("retention.ms", "1000")(r, c)
					r.ValidateOnly = true
				})
				create("validate one that exists", "", func(r *kmsg.CreateTopicsRequest, _ *kmsg.CreateTopicsRequestTopic) { r.ValidateOnly = true })
			}
			for _, ms := range []int32{0, -1} {
				create("timeout "+number(ms), "-timeout"+number(ms), func(r *kmsg.CreateTopicsRequest, _ *kmsg.CreateTopicsRequestTopic) { r.TimeoutMillis = ms })
			}
		}),
		every(kmsg.CreateTopics, "names", func(t *Talk) {
			// Conversations of all versions run at once: it is there for each. Kafka looks for a share group in one of four.
			t.Must(creating(5, "__share_group_state", func(_ *kmsg.CreateTopicsRequest, c *kmsg.CreateTopicsRequestTopic) { c.NumPartitions = 4 }))
			for _, name := range []string{
				"", ".", "..", "a b", "a/b", "a\x00b", "é", strings.Repeat("x", 249), strings.Repeat("x", 250), "__consumer_offsets",
				"__cluster_metadata", "__share_group_state", "-", "_", "a:b", "a+b",
			} {
				if len(name) == 249 {
					name = fmt.Sprintf("v%d%s", t.Version, name)[:249] // not that of another version
				}
				if name == "-" || name == "_" {
					name += number(t.Version) // Kafka refuses what collides
				}
				t.Ask(fmt.Sprintf("%.20q of %d", strings.ReplaceAll(name, number(t.Version), ""), len(name)), creating(t.Version, name, asIs))
			}
			t.Must(creating(5, t.Name+"-a_b", asIs))
			t.Ask("collides", creating(t.Version, t.Name+"-a.b", asIs))
			r := creating(t.Version, t.Name+"-c_d", asIs)
			r.Topics = append(r.Topics, creating(t.Version, t.Name+"-c.d", asIs).Topics[0])
			t.Ask("collide in one request", r)
			r = creating(t.Version, t.Name+"-twice", asIs)
			r.Topics = append(r.Topics, r.Topics[0])
			t.Ask("twice in one request", r)
			r = creating(t.Version, t.Name+"-good", asIs)
			r.Topics = append(r.Topics, creating(t.Version, "b/ad", asIs).Topics[0])
			t.Ask("a good and a bad one", r)
		}),
		every(kmsg.CreateTopics, "manual assignment", func(t *Talk) {
			place := func(step, suffix string, partitions ...any) {
				t.Ask(step, creating(t.Version, t.Name+suffix, placed(partitions...)))
			}
			place("two partitions", "-two", 0, []int32{1}, 1, []int32{1})
			place("out of order", "-order", 1, []int32{1}, 0, []int32{1})
			place("not from zero", "-one", 1, []int32{1})
			place("a gap", "-gap", 0, []int32{1}, 2, []int32{1})
			place("a partition twice", "-dup", 0, []int32{1}, 0, []int32{1})
			place("an unknown broker", "-unknown", 0, []int32{77})
			place("a broker twice", "-brokers", 0, []int32{1, 1})
			place("no replicas", "-none", 0, []int32{})
			place("a negative broker", "-negative", 0, []int32{-1})
			place("a negative partition", "-minus", -1, []int32{1})
			t.Ask("with a count", creating(t.Version, t.Name+"-count", func(r *kmsg.CreateTopicsRequest, c *kmsg.CreateTopicsRequestTopic) {
				placed(0, []int32{1})(r, c)
				c.NumPartitions = 1
			}))
			t.Ask("with a factor", creating(t.Version, t.Name+"-factor", func(r *kmsg.CreateTopicsRequest, c *kmsg.CreateTopicsRequestTopic) {
				placed(0, []int32{1})(r, c)
				c.ReplicationFactor = 1
			}))
		}),
		every(kmsg.CreateTopics, "configs", func(t *Talk) {
			for i, pair := range configPairs() {
				t.Ask(fmt.Sprintf("%s=%s", pair[0], pair[1]), creating(t.Version, fmt.Sprintf("%s-%d", t.Name, i), func(r *kmsg.CreateTopicsRequest, c *kmsg.CreateTopicsRequestTopic) {
					configured(pair[0], pair[1])(r, c)
					r.ValidateOnly = t.Version >= 1 // v0 cannot, and creates
				}))
			}
			t.Ask("a config twice", creating(t.Version, t.Name+"-twice", configured("retention.ms", "1", "retention.ms", "2")))
		}),
		every(kmsg.DeleteTopics, "deleting", func(t *Talk) {
			a, b := t.Topic("-a", 1), t.Topic("-b", 1)
			asking := func(names ...string) *kmsg.DeleteTopicsRequest {
				r := kmsg.NewPtrDeleteTopicsRequest()
				r.Version, r.TimeoutMillis, r.TopicNames = t.Version, 30000, names
				for _, name := range names {
					one := kmsg.NewDeleteTopicsRequestTopic()
					one.Topic = &name
					r.Topics = append(r.Topics, one)
				}
				return r
			}
			t.Ask("one", asking(a.name))
			t.Ask("again", asking(a.name))
			t.Ask("unknown", asking(t.Name+"-none"))
			t.Ask("bad name", asking("a b"))
			t.Ask("empty name", asking(""))
			t.Ask("nothing", asking())
			t.Ask("a name twice", asking(b.name, b.name))
			r := asking(b.name)
			r.TimeoutMillis = 0
			t.Ask("timeout 0", r)
			t.Ask("offsets topic is not deleted by a wrong name", asking("__consumer_offsets "))
			if t.Version < 6 {
				return
			}
			byID := func(name *string, ids ...[16]byte) *kmsg.DeleteTopicsRequest {
				r := asking()
				for _, id := range ids {
					one := kmsg.NewDeleteTopicsRequestTopic()
					one.Topic, one.TopicID = name, id
					r.Topics = append(r.Topics, one)
				}
				return r
			}
			c := t.Topic("-c", 1)
			t.Ask("name and id", byID(&c.name, c.id))
			t.Ask("neither name nor id", byID(nil, [16]byte{}))
			t.Ask("an id twice", byID(nil, c.id, c.id))
			t.Ask("by id", byID(nil, c.id))
			t.Ask("by id again", byID(nil, c.id))
			d := t.Topic("-d", 1)
			both := byID(nil, d.id)
			both.Topics = append(both.Topics, asking(d.name).Topics...)
			t.Ask("by name and by id", both)
			t.Ask("unknown id", byID(nil, [16]byte{1, 2, 3}))
		}),
		every(kmsg.CreatePartitions, "adding", func(t *Talk) {
			to := t.Topic("", 2)
			asking := func(name string, count int32, change func(r *kmsg.CreatePartitionsRequest, c *kmsg.CreatePartitionsRequestTopic)) *kmsg.CreatePartitionsRequest {
				r := kmsg.NewPtrCreatePartitionsRequest()
				r.Version, r.TimeoutMillis = t.Version, 30000
				c := kmsg.NewCreatePartitionsRequestTopic()
				c.Topic, c.Count = name, count
				r.Topics = append(r.Topics, c)
				change(r, &r.Topics[0])
				return r
			}
			same := func(*kmsg.CreatePartitionsRequest, *kmsg.CreatePartitionsRequestTopic) {}
			for _, count := range []int32{2, 1, 0, -1, 1_000_000} {
				t.Ask("to "+number(count), asking(to.name, count, same))
			}
			t.Ask("unknown topic", asking(t.Name+"-none", 3, same))
			t.Ask("bad name", asking("a b", 3, same))
			t.Ask("validate only", asking(to.name, 3, func(r *kmsg.CreatePartitionsRequest, _ *kmsg.CreatePartitionsRequestTopic) { r.ValidateOnly = true }))
			assigned := func(replicas ...[]int32) func(r *kmsg.CreatePartitionsRequest, c *kmsg.CreatePartitionsRequestTopic) {
				return func(_ *kmsg.CreatePartitionsRequest, c *kmsg.CreatePartitionsRequestTopic) {
					for _, brokers := range replicas {
						a := kmsg.NewCreatePartitionsRequestTopicAssignment()
						a.Replicas = brokers
						c.Assignment = append(c.Assignment, a)
					}
				}
			}
			t.Ask("too few assignments", asking(to.name, 4, assigned([]int32{1})))
			t.Ask("too many assignments", asking(to.name, 3, assigned([]int32{1}, []int32{1})))
			t.Ask("unknown broker", asking(to.name, 3, assigned([]int32{5})))
			t.Ask("no replicas", asking(to.name, 3, assigned([]int32{})))
			t.Ask("two replicas of one", asking(to.name, 3, assigned([]int32{1, 1})))
			t.Ask("assigned", asking(to.name, 3, assigned([]int32{1})))
			t.Ask("to 5", asking(to.name, 5, same))
			twice := asking(to.name, 6, same)
			twice.Topics = append(twice.Topics, twice.Topics[0])
			t.Ask("a topic twice", twice)
			late := asking(to.name, 7, same)
			late.TimeoutMillis = 0
			t.Ask("timeout 0", late)
			nothing := asking(to.name, 7, same)
			nothing.Topics = nil
			t.Ask("nothing", nothing)
			t.awaitTopic(to.name, 5)
			t.Ask("offsets", listOffsets(2, to.name, -1, 5))
		}),
	}
}

// configPairs are good and bad values of all topic configs.
func configPairs() [][2]string {
	var all [][2]string
	for _, one := range []struct {
		name   string
		values string
	}{
		{"cleanup.policy", "delete compact compact,delete delete,delete <empty> bad delete,bad COMPACT"},
		{"compression.type", "producer uncompressed none gzip snappy lz4 zstd bad GZIP"},
		{"compression.gzip.level", "-1 0 1 9 10 x"},
		{"compression.lz4.level", "0 1 9 17 18"},
		{"compression.zstd.level", "-131073 -131072 3 22 23"},
		{"delete.retention.ms", "0 -1 100 9223372036854775807 9223372036854775808"},
		{"file.delete.delay.ms", "0 -1 60000"},
		{"flush.messages", "1 0 -1 9223372036854775807"},
		{"flush.ms", "0 -1 5"},
		{"follower.replication.throttled.replicas", "<empty> * 0:1 none bad 0:1,1:2"},
		{"leader.replication.throttled.replicas", "<empty> * 0:1 bad"},
		{"index.interval.bytes", "0 -1 4096 2147483648"},
		{"local.retention.bytes", "-2 -1 0 -3 100"},
		{"local.retention.ms", "-2 -1 0 -3 100"},
		{"max.compaction.lag.ms", "0 1 -1"},
		{"max.message.bytes", "0 -1 1 2147483647 2147483648 1.5"},
		{"message.timestamp.after.max.ms", "0 -1 1"},
		{"message.timestamp.before.max.ms", "0 -1 1"},
		{"message.timestamp.type", "CreateTime LogAppendTime createtime bad"},
		{"min.cleanable.dirty.ratio", "0 1 0.5 1.1 -0.1 x"},
		{"min.compaction.lag.ms", "0 -1 5"},
		{"min.insync.replicas", "0 1 2 -1"},
		{"preallocate", "true false TRUE yes 1"},
		{"remote.storage.enable", "true false"},
		{"remote.log.copy.disable", "true false x"},
		{"remote.log.delete.on.disable", "true false"},
		{"retention.bytes", "-1 -2 0 1 9223372036854775807"},
		{"retention.ms", "-1 -2 0 1 9223372036854775807"},
		{"segment.bytes", "0 14 1048575 1048576 2147483647 2147483648"},
		{"segment.index.bytes", "3 4 10485760 0"},
		{"segment.jitter.ms", "-1 0 5"},
		{"segment.ms", "0 1 -1"},
		{"unclean.leader.election.enable", "true false"},
		{"internal.segment.bytes", "100 10"},
		{"errors.deadletterqueue.group.enable", "true false"},
		{"remote.copy.lag.bytes", "-1 0 5"},
		{"remote.copy.lag.ms", "-1 0 5"},
		{"message.format.version", "2.0"},
		{"message.downconversion.enable", "true"},
		{"no.such.config", "1"},
		{"<empty>", "1"},
	} {
		name := strings.Replace(one.name, "<empty>", "", 1)
		for value := range strings.FieldsSeq(one.values + " <null>") {
			all = append(all, [2]string{name, strings.Replace(value, "<empty>", "", 1)})
		}
	}
	return append(all, [2]string{"retention.ms", " 1000 "}, [2]string{"cleanup.policy", " delete , compact "})
}
