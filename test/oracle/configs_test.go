//go:build suite

package oracle

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	ofTopic   = kmsg.ConfigResourceTypeTopic
	ofBroker  = kmsg.ConfigResourceTypeBroker
	ofLogger  = kmsg.ConfigResourceTypeBrokerLogger
	ofMetrics = kmsg.ConfigResourceType(16)
	ofGroup   = kmsg.ConfigResourceType(32)
)

func describing(version int16, kind kmsg.ConfigResourceType, name string, configs ...string) *kmsg.DescribeConfigsRequest {
	r := kmsg.NewPtrDescribeConfigsRequest()
	r.Version, r.IncludeSynonyms, r.IncludeDocumentation = version, true, true
	one := kmsg.NewDescribeConfigsRequestResource()
	one.ResourceType, one.ResourceName, one.ConfigNames = kind, name, configs
	r.Resources = append(r.Resources, one)
	return r
}

// change is an operation of IncrementalAlterConfigs; value "<null>" is null.
type change struct {
	name  string
	op    kmsg.IncrementalAlterConfigOp
	value string
}

const (
	set      = kmsg.IncrementalAlterConfigOpSet
	remove   = kmsg.IncrementalAlterConfigOpDelete
	extend   = kmsg.IncrementalAlterConfigOpAppend
	subtract = kmsg.IncrementalAlterConfigOpSubtract
)

func altering(version int16, kind kmsg.ConfigResourceType, name string, changes ...change) *kmsg.IncrementalAlterConfigsRequest {
	r := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r.Version = version
	one := kmsg.NewIncrementalAlterConfigsRequestResource()
	one.ResourceType, one.ResourceName = kind, name
	for _, c := range changes {
		config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		config.Name, config.Op = c.name, c.op
		if c.value != "<null>" {
			config.Value = &c.value
		}
		one.Configs = append(one.Configs, config)
	}
	r.Resources = append(r.Resources, one)
	return r
}

func replacing(version int16, kind kmsg.ConfigResourceType, name string, pairs ...string) *kmsg.AlterConfigsRequest {
	r := kmsg.NewPtrAlterConfigsRequest()
	r.Version = version
	one := kmsg.NewAlterConfigsRequestResource()
	one.ResourceType, one.ResourceName = kind, name
	for i := 0; i+1 < len(pairs); i += 2 {
		config := kmsg.NewAlterConfigsRequestResourceConfig()
		config.Name = pairs[i]
		if pairs[i+1] != "<null>" {
			config.Value = &pairs[i+1]
		}
		one.Configs = append(one.Configs, config)
	}
	r.Resources = append(r.Resources, one)
	return r
}

// described records what is set on a resource, once it is as many as wanted.
func (t *Talk) described(step string, kind kmsg.ConfigResourceType, name string, wanted int) {
	t.Until(step, describing(1, kind, name), func(r kmsg.Response) bool {
		n := 0
		for _, c := range r.(*kmsg.DescribeConfigsResponse).Resources[0].Configs {
			if c.Source == kmsg.ConfigSourceDynamicTopicConfig || c.Source == kmsg.ConfigSourceDynamicBrokerConfig {
				n++
			}
		}
		return n == wanted
	})
}

func aboutConfigs() []conversation {
	return []conversation{
		every(kmsg.DescribeConfigs, "a topic", func(t *Talk) {
			of := t.Topic("", 1, "retention.ms", "12345", "cleanup.policy", "compact,delete", "max.message.bytes", "2000")
			t.Ask("all", describing(t.Version, ofTopic, of.name))
			t.Ask("some", describing(t.Version, ofTopic, of.name, "retention.ms", "segment.bytes"))
			t.Ask("an unknown one", describing(t.Version, ofTopic, of.name, "no.such.config", "segment.ms"))
			t.AskShared("an empty list", describing(t.Version, ofTopic, of.name, []string{}...))
			bare := describing(t.Version, ofTopic, of.name)
			bare.IncludeSynonyms, bare.IncludeDocumentation = false, false
			t.AskShared("without synonyms and documentation", bare)
			t.Ask("unknown topic", describing(t.Version, ofTopic, t.Name+"-none"))
			t.Ask("bad name", describing(t.Version, ofTopic, "a b"))
			t.Ask("empty name", describing(t.Version, ofTopic, ""))
			t.AskShared("the offsets topic", describing(t.Version, ofTopic, "__consumer_offsets"))
		}),
		byItself(every(kmsg.DescribeConfigs, "a broker", func(t *Talk) {
			t.AskShared("all", describing(t.Version, ofBroker, "1"))
			t.Ask("some", describing(t.Version, ofBroker, "1", "log.retention.ms", "num.partitions", "log.dirs"))
			t.Ask("defaults", describing(t.Version, ofBroker, ""))
			t.Ask("another", describing(t.Version, ofBroker, "77"))
			t.Ask("no number", describing(t.Version, ofBroker, "x"))
		})),
		every(kmsg.DescribeConfigs, "other resources", func(t *Talk) {
			t.AskShared("group", describing(t.Version, ofGroup, t.Name))
			t.AskShared("metrics", describing(t.Version, ofMetrics, t.Name))
			t.Ask("group without a name", describing(t.Version, ofGroup, ""))
			t.Ask("metrics without a name", describing(t.Version, ofMetrics, ""))
			t.Ask("unknown type", describing(t.Version, 77, "x"))
			t.Ask("type 0", describing(t.Version, 0, "x"))
			t.Ask("logger of another broker", describing(t.Version, ofLogger, "77"))
			t.Ask("logger of no number", describing(t.Version, ofLogger, "x"))
			several := describing(t.Version, ofTopic, t.Name+"-none")
			several.Resources = append(several.Resources, describing(t.Version, ofBroker, "1", "num.partitions").Resources...)
			t.Ask("two resources", several)
			nothing := describing(t.Version, ofTopic, "")
			nothing.Resources = nil
			t.Ask("nothing", nothing)
		}),
		every(kmsg.IncrementalAlterConfigs, "a topic", func(t *Talk) {
			of := t.Topic("", 1)
			ask := func(step string, changes ...change) {
				t.Ask(step, altering(t.Version, ofTopic, of.name, changes...))
			}
			ask("set", change{"retention.ms", set, "5000"}, change{"cleanup.policy", set, "compact"})
			t.described("then", ofTopic, of.name, 2)
			ask("append", change{"cleanup.policy", extend, "delete"})
			ask("append what is there", change{"cleanup.policy", extend, "delete"})
			ask("append to no list", change{"retention.ms", extend, "1"})
			ask("subtract", change{"cleanup.policy", subtract, "compact"})
			ask("subtract what is not there", change{"cleanup.policy", subtract, "compact"})
			ask("subtract from no list", change{"retention.ms", subtract, "1"})
			ask("set bad", change{"retention.ms", set, "abc"})
			ask("set null", change{"retention.ms", set, "<null>"})
			ask("set unknown", change{"no.such.config", set, "1"})
			ask("delete unknown", change{"no.such.config", remove, "<null>"})
			ask("delete what is not set", change{"segment.ms", remove, "<null>"})
			ask("append null", change{"cleanup.policy", extend, "<null>"})
			ask("the same twice", change{"retention.ms", set, "1"}, change{"retention.ms", set, "2"})
			ask("set and delete", change{"retention.ms", set, "1"}, change{"retention.ms", remove, "<null>"})
			ask("one good one bad", change{"retention.ms", set, "77"}, change{"segment.ms", set, "-5"})
			ask("empty name", change{"", set, "1"})
			ask("nothing")
			ask("two policies", change{"cleanup.policy", set, "compact,delete"}, change{"flush.ms", set, "9"})
			t.described("then two policies", ofTopic, of.name, 3)
			ask("delete", change{"retention.ms", remove, "<null>"}, change{"flush.ms", remove, "ignored"})
			t.described("then deleted", ofTopic, of.name, 1)
			ask("subtract the last", change{"cleanup.policy", subtract, "compact,delete"})
			validated := altering(t.Version, ofTopic, of.name, change{"retention.ms", set, "99"})
			validated.ValidateOnly = true
			t.Ask("validate only", validated)
			validated = altering(t.Version, ofTopic, of.name, change{"retention.ms", set, "x"})
			validated.ValidateOnly = true
			t.Ask("validate only bad", validated)
			t.described("at last", ofTopic, of.name, 1)
			t.Ask("unknown topic", altering(t.Version, ofTopic, t.Name+"-none", change{"retention.ms", set, "1"}))
			t.Ask("bad name", altering(t.Version, ofTopic, "a b", change{"retention.ms", set, "1"}))
			t.Ask("empty topic name", altering(t.Version, ofTopic, "", change{"retention.ms", set, "1"}))
			twice := altering(t.Version, ofTopic, of.name, change{"retention.ms", set, "1"})
			twice.Resources = append(twice.Resources, twice.Resources[0])
			t.Ask("a topic twice", twice)
			none := altering(t.Version, ofTopic, of.name)
			none.Resources = nil
			t.Ask("no resource", none)
		}),
		every(kmsg.IncrementalAlterConfigs, "an unknown operation", func(t *Talk) {
			of := t.Topic("", 1)
			t.Ask("op 9", altering(t.Version, ofTopic, of.name, change{"retention.ms", 9, "1"}))
		}),
		every(kmsg.IncrementalAlterConfigs, "all values", func(t *Talk) {
			of := t.Topic("", 1)
			for _, pair := range configPairs() {
				r := altering(t.Version, ofTopic, of.name, change{pair[0], set, pair[1]})
				r.ValidateOnly = true
				t.Ask(fmt.Sprintf("%s=%s", pair[0], pair[1]), r)
			}
		}),
		byItself(every(kmsg.IncrementalAlterConfigs, "a broker", func(t *Talk) {
			for _, pair := range []change{
				{"log.retention.ms", set, "1000000"}, {"log.retention.ms", set, "x"}, {"log.cleaner.threads", set, "1"}, {"no.such.config", set, "1"},
				{"num.io.threads", set, "9"}, {"listeners", set, "PLAINTEXT://:1"}, {"log.dirs", set, "/tmp/x"}, {"node.id", set, "2"}, {"min.insync.replicas", set, "2"},
				{"message.max.bytes", set, "2000000"}, {"log.segment.bytes", set, "1"}, {"num.partitions", set, "3"}, {"auto.create.topics.enable", set, "false"},
				{"log.cleanup.policy", extend, "compact"}, {"max.connections", set, "1000"}, {"max.connections.per.ip", set, "-1"}, {"log.retention.ms", set, "<null>"},
				{"background.threads", set, "0"}, {"unclean.leader.election.enable", set, "true"}, {"compression.type", set, "bad"}, {"log.retention.hours", set, "5"},
				{"follower.replication.throttled.rate", set, "1000"}, {"leader.replication.throttled.rate", set, "-1"}, {"ssl.keystore.location", set, "/nowhere"},
				{"listener.name.plaintext.max.connections", set, "10"}, {"remote.list.offsets.request.timeout.ms", set, "1"}, {"cordoned.log.dirs", set, "x"},
			} {
				for _, name := range []string{"1", ""} {
					r := altering(t.Version, ofBroker, name, pair)
					r.ValidateOnly = true
					t.Ask(fmt.Sprintf("%q %s %d %s", name, pair.name, pair.op, pair.value), r)
				}
			}
			t.Ask("another broker", altering(t.Version, ofBroker, "77", change{"log.retention.ms", set, "1000000"}))
			t.Ask("no number", altering(t.Version, ofBroker, "x", change{"log.retention.ms", set, "1000000"}))
			t.Ask("set for one", altering(t.Version, ofBroker, "1", change{"log.retention.ms", set, "1000000"}))
			t.Ask("set for all", altering(t.Version, ofBroker, "", change{"log.retention.ms", set, "2000000"}, change{"log.cleaner.backoff.ms", set, "16000"}))
			has := func(values ...string) func(kmsg.Response) bool {
				return func(r kmsg.Response) bool {
					found := 0
					for _, c := range r.(*kmsg.DescribeConfigsResponse).Resources[0].Configs {
						if c.Value != nil && slices.Contains(values, *c.Value) {
							found++
						}
					}
					return found == len(values)
				}
			}
			t.Until("described", describing(4, ofBroker, "1", "log.retention.ms", "log.cleaner.backoff.ms"), has("1000000", "16000"))
			t.Until("described defaults", describing(4, ofBroker, ""), has("2000000", "16000"))
			topic := t.Topic("", 1)
			t.Ask("described at a topic", describing(4, ofTopic, topic.name, "retention.ms"))
			t.Must(altering(t.Version, ofBroker, "1", change{"log.retention.ms", remove, "<null>"}))
			t.Must(altering(t.Version, ofBroker, "", change{"log.retention.ms", remove, "<null>"}, change{"log.cleaner.backoff.ms", remove, "<null>"}))
			t.Until("described when deleted", describing(4, ofBroker, "1", "log.retention.ms", "log.cleaner.backoff.ms"), has("15000"))
		})),
		every(kmsg.IncrementalAlterConfigs, "other resources", func(t *Talk) {
			t.Ask("group", altering(t.Version, ofGroup, t.Name, change{"consumer.session.timeout.ms", set, "50000"}))
			t.Ask("group too small", altering(t.Version, ofGroup, t.Name, change{"consumer.session.timeout.ms", set, "5"}))
			t.Ask("group unknown", altering(t.Version, ofGroup, t.Name, change{"no.such", set, "5"}))
			t.Ask("group without name", altering(t.Version, ofGroup, "", change{"consumer.session.timeout.ms", set, "50000"}))
			t.Ask("metrics", altering(t.Version, ofMetrics, t.Name, change{"interval.ms", set, "1000"}, change{"metrics", set, "a.b"}))
			t.Ask("metrics bad", altering(t.Version, ofMetrics, t.Name, change{"interval.ms", set, "1"}))
			t.Ask("metrics without name", altering(t.Version, ofMetrics, "", change{"interval.ms", set, "1000"}))
			t.Ask("unknown type", altering(t.Version, 77, "x", change{"a", set, "b"}))
			t.Ask("logger of another", altering(t.Version, ofLogger, "77", change{"root", set, "INFO"}))
			t.Ask("logger bad level", altering(t.Version, ofLogger, "1", change{"root", set, "LOUD"}))
			t.Must(altering(t.Version, ofMetrics, t.Name, change{"interval.ms", remove, ""}, change{"metrics", remove, ""}))
		}),
		every(kmsg.AlterConfigs, "a topic", func(t *Talk) {
			of := t.Topic("", 1, "flush.ms", "7")
			ask := func(step string, pairs ...string) { t.Ask(step, replacing(t.Version, ofTopic, of.name, pairs...)) }
			ask("replace", "retention.ms", "5000", "cleanup.policy", "compact")
			t.described("then", ofTopic, of.name, 2)
			ask("bad", "retention.ms", "x")
			ask("null", "retention.ms", "<null>")
			ask("unknown", "no.such.config", "1")
			ask("the same twice", "retention.ms", "1", "retention.ms", "2")
			ask("nothing")
			t.described("then nothing", ofTopic, of.name, 0)
			validated := replacing(t.Version, ofTopic, of.name, "retention.ms", "5")
			validated.ValidateOnly = true
			t.Ask("validate only", validated)
			t.Ask("unknown topic", replacing(t.Version, ofTopic, t.Name+"-none", "retention.ms", "1"))
			t.Ask("unknown type", replacing(t.Version, 77, "x", "a", "b"))
			t.Ask("logger", replacing(t.Version, ofLogger, "1", "root", "INFO"))
			t.Ask("another broker", replacing(t.Version, ofBroker, "77", "log.retention.ms", "1000000"))
			twice := replacing(t.Version, ofTopic, of.name, "retention.ms", "1")
			twice.Resources = append(twice.Resources, twice.Resources[0])
			t.Silent("a topic twice", t.Send("", twice), 2*time.Second)
		}),
		byItself(every(kmsg.ListConfigResources, "listing", func(t *Talk) {
			t.Topic("", 1)
			t.Must(altering(1, ofMetrics, t.Name+"-metrics", change{"interval.ms", set, "1000"}))
			ask := func(step string, kinds ...int8) {
				r := kmsg.NewPtrListConfigResourcesRequest()
				r.Version, r.ResourceTypes = t.Version, kinds
				t.Ask(step, r)
			}
			t.Until("all", listing(t.Version), func(r kmsg.Response) bool {
				for _, c := range r.(*kmsg.ListConfigResourcesResponse).ConfigResources {
					if strings.HasSuffix(c.Name, t.Name+"-metrics") {
						return true
					}
				}
				return false
			})
			if t.Version >= 1 {
				for _, kind := range []int8{2, 4, 8, 16, 32, 0, 77} {
					ask("type "+number(int16(kind)), kind)
				}
				ask("two types", 2, 16)
				ask("a type twice", 16, 16)
			}
			t.Must(altering(1, ofMetrics, t.Name+"-metrics", change{"interval.ms", remove, ""}))
		})),
	}
}

func listing(version int16) *kmsg.ListConfigResourcesRequest {
	r := kmsg.NewPtrListConfigResourcesRequest()
	r.Version = version
	return r
}
