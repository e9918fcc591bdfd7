package config

import (
	"errors"
	"strings"
	"testing"
)

// What Kafka refuses is refused in the same words, because tools show them and scripts match them.
func TestRefusalsAreKafkas(t *testing.T) {
	// Where Kafka's answer is a stack of class names or plain wrong, ours says what is the matter.
	better := map[string]string{
		"num.io.threads=100":                   "Dynamic thread count update validation failed for num.io.threads=100, value should not be greater than double the current value 8",
		"log.cleaner.threads=0":                "Dynamic thread count update validation failed for log.cleaner.threads=0, value should be at least 1",
		"max.connections.per.ip.overrides=foo": `max.connections.per.ip.overrides: "foo" does not have the form <host>:<connections>`,
	}
	broker := loadSample(t)
	for _, f := range tabbed(t, "testdata/kafka-4.4-refusals.txt") {
		scope, resource, name, value, kind, message := f[0], f[1], f[2], f[3], f[4], f[5]
		if name == "min.insync.replicas" {
			continue // the controller's decision: it depends on ELR
		}
		if text, found := better[name+"="+value]; found {
			message = text
		}
		err := check(broker, scope, resource, map[string]string{name: value})
		if err == nil || err.Error() != message {
			t.Errorf("%s %s=%s\nis refused with %v\nby Kafka with   %s", scope, name, value, err, message)
			continue
		}
		problem, is := errors.AsType[*ValueError](err)
		if !is || problem.InvalidRequest != (kind == "InvalidRequest") {
			t.Errorf("%s %s=%s is refused as %+v, by Kafka as %s", scope, name, value, problem, kind)
		}
	}
}

func check(broker *Values, scope, resource string, configs map[string]string) error {
	switch scope {
	case "TOPIC":
		return CheckTopicConfigs(broker, configs)
	case "BROKER":
		return CheckBrokerConfigs(broker, configs, resource != "")
	case "GROUP":
		return CheckGroupConfigs(broker, configs)
	}
	return CheckClientMetricsConfigs(configs)
}

func TestWhatKafkaTakesIsTaken(t *testing.T) {
	broker := loadSample(t)
	for _, taken := range []struct{ scope, resource, name, value string }{
		{"TOPIC", "t", "cleanup.policy", ""},
		{"TOPIC", "t", "cleanup.policy", "delete,delete"},
		{"TOPIC", "t", "cleanup.policy", " compact , delete"},
		{"TOPIC", "t", "retention.ms", " -1 "},
		{"TOPIC", "t", "internal.segment.bytes", "1024"},
		{"TOPIC", "t", "leader.replication.throttled.replicas", "0:1,1:2"},
		{"TOPIC", "t", "leader.replication.throttled.replicas", "*"},
		{"TOPIC", "t", "preallocate", "TRUE"},
		{"BROKER", "1", "nobody.knows.this", "5"},
		{"BROKER", "", "log.retention.ms", "60000"},
		{"BROKER", "", "listener.name.plaintext.max.connections", "5"},
		{"GROUP", "g", "share.auto.offset.reset", "by_duration:P1DT2H"},
		{"CLIENT_METRICS", "m", "match", "client_id=app-.*"},
	} {
		if err := check(broker, taken.scope, taken.resource, map[string]string{taken.name: taken.value}); err != nil {
			t.Errorf("%s %s=%s is refused: %v", taken.scope, taken.name, taken.value, err)
		}
	}
}

func TestSecurityIsRefusedDynamicallyToo(t *testing.T) {
	err := CheckBrokerConfigs(loadSample(t), map[string]string{"listener.name.plaintext.ssl.keystore.location": "/etc/key"}, true)
	if err == nil || !strings.Contains(err.Error(), "TLS is not served yet") {
		t.Errorf("a keystore for a listener is answered with %v", err)
	}
}

func TestDynamicSettingsTakeEffectInKafkasOrder(t *testing.T) {
	v := loadSample(t)
	if got := TopicSegmentBytes.Of(v); got != 1<<30 {
		t.Fatalf("segment.bytes is %d from the file", got)
	}
	cluster, _ := v.WithDynamic(map[string]string{"log.segment.bytes": "2097152"}, nil)
	own, _ := v.WithDynamic(map[string]string{"log.segment.bytes": "2097152"}, map[string]string{"log.segment.bytes": "3145728"})
	topic := TopicValues(own, map[string]string{"segment.bytes": "4194304"})
	if a, b, c := TopicSegmentBytes.Of(cluster), TopicSegmentBytes.Of(own), TopicSegmentBytes.Of(topic); a != 2<<20 || b != 3<<20 || c != 4<<20 {
		t.Errorf("segment.bytes is %d by the cluster's default, %d by the broker, %d by the topic", a, b, c)
	}
	if got := TopicSegmentBytes.Of(v); got != 1<<30 {
		t.Errorf("the old values changed to %d", got)
	}
}

func TestDynamicSettingsThatCannotBeAreLeftOut(t *testing.T) {
	v, problems := loadSample(t).WithDynamic(nil, map[string]string{"log.segment.bytes": "few", "node.id": "9", "max.connections": "12"})
	if len(problems) != 2 {
		t.Errorf("problems are %v", problems)
	}
	if NodeID.Of(v) != 1 || TopicSegmentBytes.Of(v) != 1<<30 || MaxConnections.Of(v) != 12 {
		t.Errorf("node.id=%d log.segment.bytes=%d max.connections=%d", NodeID.Of(v), TopicSegmentBytes.Of(v), MaxConnections.Of(v))
	}
}

func TestTheCleanersThreadsChangeInKafkasSteps(t *testing.T) {
	three, _ := loadSample(t).WithDynamic(nil, map[string]string{"log.cleaner.threads": "3"})
	for threads, taken := range map[string]bool{"0": false, "1": true, "2": true, "6": true, "7": false} {
		err := CheckBrokerConfigs(three, map[string]string{"log.cleaner.threads": threads}, true)
		if (err == nil) != taken {
			t.Errorf("from 3 threads to %s: %v", threads, err)
		}
	}
	err := CheckBrokerConfigs(three, map[string]string{"log.cleaner.threads": "3", "log.cleaner.dedupe.buffer.size": "3145728"}, true)
	if err == nil || err.Error() != "requirement failed: log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread." {
		t.Errorf("a megabyte for each thread: %v", err)
	}
}

// max.connections.per.ip=0 was taken while running, and locked everybody out for ever.
func TestWhatIsRefusedAtStartIsRefusedWhileRunning(t *testing.T) {
	broker := loadSample(t)
	for _, c := range []struct {
		configs map[string]string
		want    string
	}{
		{map[string]string{"max.connections.per.ip": "0"}, "requirement failed: max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set."},
		{map[string]string{"max.connections.per.ip": "0", "max.connections.per.ip.overrides": "10.0.0.1:5"}, ""},
		{map[string]string{"max.connections": "0"}, "max.connections=0 lets nobody in, not even whoever would change it"},
		{map[string]string{"log.cleaner.min.compaction.lag.ms": "20", "log.cleaner.max.compaction.lag.ms": "10"}, "conflict topic config setting min.compaction.lag.ms (20) > max.compaction.lag.ms (10)"},
	} {
		for _, perBroker := range []bool{false, true} {
			text := ""
			if err := CheckBrokerConfigs(broker, c.configs, perBroker); err != nil {
				text = err.Error()
			}
			if text != c.want {
				t.Errorf("%v, per broker %v, is answered %q, not %q", c.configs, perBroker, text, c.want)
			}
		}
	}
}

// What was stored by a version that took it, or beside other static settings, must not lock everybody out either.
func TestStoredSettingsThatContradictEachOtherAreLeftOut(t *testing.T) {
	v, problems := loadSample(t).WithDynamic(map[string]string{"max.connections.per.ip": "0", "max.connections": "12"}, nil)
	if len(problems) != 1 || MaxConnectionsPerIP.Of(v) == 0 || MaxConnections.Of(v) != 12 {
		t.Errorf("max.connections.per.ip=%d max.connections=%d, problems %v", MaxConnectionsPerIP.Of(v), MaxConnections.Of(v), problems)
	}
	v, problems = loadSample(t).WithDynamic(map[string]string{"max.connections.per.ip": "0"}, map[string]string{"max.connections": "0", "log.retention.ms": "60000"})
	if len(problems) == 0 || MaxConnectionsPerIP.Of(v) == 0 || MaxConnections.Of(v) == 0 || TopicRetentionMs.Of(v) != 60_000 {
		t.Errorf("max.connections.per.ip=%d max.connections=%d retention.ms=%d, problems %v",
			MaxConnectionsPerIP.Of(v), MaxConnections.Of(v), TopicRetentionMs.Of(v), problems)
	}
}

// A directory that Kafka left may have a TLS listener in its dynamic settings: it would have been opened in plain text.
func TestADynamicListenerThatIsNotPlaintextIsLeftOut(t *testing.T) {
	v, problems := Defaults().WithDynamic(nil, map[string]string{"listeners": "PLAINTEXT://:9092,SSL://:9093"})
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "speaks SSL") {
		t.Errorf("problems are %v", problems)
	}
	if got := v.Listeners(); len(got) != 1 || got[0].Name != "PLAINTEXT" {
		t.Errorf("listeners are %v", got)
	}
}
