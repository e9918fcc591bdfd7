package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// kafkaSample holds what Kafka's own sample of a combined node's server.properties sets.
const kafkaSample = `
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/data
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
`

func loadSample(t *testing.T) *Values {
	t.Helper()
	source, err := FromProperties("server.properties", []byte(kafkaSample))
	if err != nil {
		t.Fatal(err)
	}
	v, _, err := LoadBroker(source)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The answers in testdata were written by a live Kafka 4.4.0, started with the sample and then
// given these dynamic settings.
func TestDescriptionsAreKafkas(t *testing.T) {
	v, problems := loadSample(t).WithDynamic(
		map[string]string{"min.insync.replicas": "1", "log.retention.ms": "2000", "max.connections": "77"},
		map[string]string{"log.segment.bytes": "2000000", "leader.replication.throttled.rate": "200", "foo.bar": "5", "listener.name.plaintext.max.connections": "5"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	ours := map[string]string{}
	collect(ours, "topic2", DescribeTopic(v, map[string]string{"retention.ms": "1000", "cleanup.policy": " compact , delete"}))
	collect(ours, "broker2", DescribeBroker(v))
	collect(ours, "brokerdefault2", DescribeBrokerDefault(v))
	collect(ours, "group2", DescribeGroup(v, map[string]string{"consumer.session.timeout.ms": "50000"}))
	for _, f := range tabbed(t, "testdata/kafka-4.4-describe.txt") {
		key := f[0] + " " + f[1]
		theirs, got := strings.Join(f, "\t"), ours[key]
		delete(ours, key)
		row, found := Lookup(Broker, f[1])
		if found && row.Kafka != "" && row.Kafka != kafkaHasNone {
			continue // our default differs
		}
		if got != theirs {
			t.Errorf("%s\nis described  %s\nKafka says    %s", key, got, theirs)
		}
	}
	for key := range ours {
		if !strings.HasPrefix(key, "broker2 barnabas.") {
			t.Errorf("%s is described; Kafka does not", key)
		}
	}
}

func collect(into map[string]string, tag string, described []Description) {
	for _, d := range described {
		into[tag+" "+d.Name] = describedLine(tag, d)
	}
}

func describedLine(tag string, d Description) string {
	readOnly, sensitive := "", ""
	if d.ReadOnly {
		readOnly = "ro"
	}
	if d.Sensitive {
		sensitive = "sens"
	}
	kind := "UNKNOWN"
	if d.Type != 0 {
		kind = d.Type.String()
	}
	var synonyms strings.Builder
	for _, s := range d.Synonyms {
		fmt.Fprintf(&synonyms, "%s=%s@%s;", s.Name, textOrNull(s.Value), originName(s.Origin))
	}
	return strings.Join([]string{tag, d.Name, textOrNull(d.Value), originName(d.Origin), readOnly, sensitive, kind, synonyms.String()}, "\t")
}

func textOrNull(text *string) string {
	if text == nil {
		return "null"
	}
	return *text
}

func originName(origin Origin) string {
	return map[Origin]string{
		FromTopic: "DYNAMIC_TOPIC_CONFIG", FromDynamicBroker: "DYNAMIC_BROKER_CONFIG", FromDynamicDefault: "DYNAMIC_DEFAULT_BROKER_CONFIG",
		FromStatic: "STATIC_BROKER_CONFIG", FromDefault: "DEFAULT_CONFIG", FromClientMetrics: "DYNAMIC_CLIENT_METRICS_CONFIG", FromGroup: "DYNAMIC_GROUP_CONFIG",
	}[origin]
}

func TestSecretsAreNeverDescribed(t *testing.T) {
	source := FromMap("test", map[string]string{"config.providers.vault.token": "hunter2"})
	v, _, err := LoadBroker(source)
	if err != nil {
		t.Fatal(err)
	}
	v, _ = v.WithDynamic(nil, map[string]string{"sasl.jaas.config": "hunter2", "nobody.knows.this": "hunter2"})
	for _, d := range DescribeBroker(v) {
		if strings.Contains(describedLine("", d), "hunter2") {
			t.Errorf("%s shows its secret", d.Name)
		}
	}
}

func TestDescriptionsAreSorted(t *testing.T) {
	v, _ := loadSample(t).WithDynamic(nil, map[string]string{"foo.bar": "5"})
	byName := func(a, b Description) int { return strings.Compare(a.Name, b.Name) }
	if !slices.IsSortedFunc(DescribeBroker(v), byName) || !slices.IsSortedFunc(DescribeTopic(v, nil), byName) {
		t.Error("descriptions are not sorted by name")
	}
}
