package config

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, settings map[string]string) *Values {
	t.Helper()
	v, _, err := LoadBroker(FromMap("test", settings))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestKafkasSampleStartsUnchanged(t *testing.T) {
	v := loadSample(t)
	if got := v.Listeners(); len(got) != 1 || got[0].String() != "PLAINTEXT://:9092" {
		t.Errorf("clients are listened for at %v", got)
	}
	if got := v.ControllerListeners(); len(got) != 1 || got[0].String() != "CONTROLLER://:9093" {
		t.Errorf("controllers are listened for at %v", got)
	}
	if got := v.AdvertisedListeners(); len(got) != 1 || got[0].Address() != "localhost:9092" {
		t.Errorf("clients are told %v", got)
	}
	if !slices.Equal(v.LogDirs(), []string{"/data"}) {
		t.Errorf("data is in %v", v.LogDirs())
	}
}

func TestNothingConfiguredListensOnThisMachineAlone(t *testing.T) {
	v, warnings, err := LoadBroker(FromMachine())
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Listeners(); len(got) != 1 || got[0].String() != "PLAINTEXT://127.0.0.1:9092" {
		t.Errorf("it listens at %v", got)
	}
	if len(warnings) != 0 || NodeID.Of(v) != 1 || !v.HasRole("broker") || !v.HasRole("controller") {
		t.Errorf("warnings %v, node.id %d", warnings, NodeID.Of(v))
	}
	if QueuedMaxRequestBytes.Of(v) < leastInFlightBytes || strings.HasPrefix(v.LogDirs()[0], "/tmp") {
		t.Errorf("in flight %d, data in %v", QueuedMaxRequestBytes.Of(v), v.LogDirs())
	}
}

func TestLaterSourcesWin(t *testing.T) {
	file, err := FromProperties("server.properties", []byte("num.partitions=2\nlog.retention.hours=1\nlog.segment.bytes=2097152"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := FromAssignments([]string{"num.partitions=4"})
	if err != nil {
		t.Fatal(err)
	}
	v, _, err := LoadBroker(file, FromEnvironment([]string{"BARNABAS_NUM_PARTITIONS=3", "BARNABAS_LOG_RETENTION_HOURS=2", "BARNABAS_LOG_LEVEL=warn", "BARNABAS_BOOTSTRAP_SERVER=x:1", "HOME=/"}), set)
	if err != nil {
		t.Fatal(err)
	}
	if NumPartitions.Of(v) != 4 || TopicRetentionMs.Of(v) != 2*hourMs || TopicSegmentBytes.Of(v) != 2<<20 || LogLevel.Of(v) != "warn" {
		t.Errorf("num.partitions=%d retention.ms=%d segment.bytes=%d level=%s", NumPartitions.Of(v), TopicRetentionMs.Of(v), TopicSegmentBytes.Of(v), LogLevel.Of(v))
	}
}

func TestFinerUnitsWin(t *testing.T) {
	for _, c := range []struct {
		settings map[string]string
		want     int64
	}{
		{map[string]string{"log.retention.hours": "2"}, 2 * hourMs},
		{map[string]string{"log.retention.hours": "2", "log.retention.minutes": "3"}, 3 * minuteMs},
		{map[string]string{"log.retention.hours": "2", "log.retention.minutes": "3", "log.retention.ms": "4"}, 4},
		{map[string]string{"log.retention.hours": "-1"}, -1},
	} {
		if got := TopicRetentionMs.Of(load(t, c.settings)); got != c.want {
			t.Errorf("%v: retention.ms is %d, not %d", c.settings, got, c.want)
		}
	}
}

func TestMistakesAreNamedWithWhatIsRight(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"log.retention.hour", "1", "log.retention.hour is no setting of Kafka's nor of Barnabas's; did you mean log.retention.hours?"},
		{"log_retention_hours", "1", "did you mean log.retention.hours?"},
		{"retention.ms", "1", "it is a topic's, for brokers it is called log.retention.ms or log.retention.minutes or log.retention.hours"},
		{"remote.storage.enable", "true", "it is a topic's, for brokers it is called nothing: set it on the topic"},
		{"quite.something.else", "1", "quite.something.else is no setting of Kafka's nor of Barnabas's"},
		{"listener.name.external.ssl.keystore.locaton", "x", "did you mean listener.name.external.ssl.keystore.location?"},
		{"num.partitions", "0", "Invalid value 0 for configuration num.partitions: Value must be at least 1 (allowed: [1,...])"},
		{"num.partitions", "many", "Invalid value many for configuration num.partitions: Not a number of type INT"},
		{"compression.type", "lzma", "String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer"},
		{"ssl.keystore.location", "/etc/key", "ssl.keystore.location is refused: TLS is not served yet"},
		{"listener.name.plaintext.ssl.keystore.location", "/etc/key", "is refused: TLS is not served yet"},
		{"listener.name.sasl_ssl.plain.sasl.jaas.config", "x", "is refused: authentication is not served yet"},
		{"sasl.enabled.mechanisms", "PLAIN", "is refused: authentication is not served yet"},
		{"authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "is refused: authorization is not served yet"},
		{"super.users", "User:admin", "is refused: authorization is not served yet"},
		{"listeners", "SSL://:9093", "listener SSL://:9093 speaks SSL: TLS is not served yet"},
		{"listeners", "PLAINTEXT:9092", `"PLAINTEXT:9092" does not have the form <listener name>://<host>:<port>`},
		{"listeners", "INSIDE://:9092", "add INSIDE:PLAINTEXT to listener.security.protocol.map"},
		{"listeners", "PLAINTEXT://:99999", "must be from 0 to 65535"},
		{"advertised.listeners", "PLAINTEXT://0.0.0.0:9092", "no client can connect to"},
		{"controller.quorum.voters", "1@a:9093,2@b:9093,3@c:9093", "no listener for them to reach this one"},
		{"controller.quorum.voters", "7@a:9093", "names nodes 7, but this is node.id=1"},
		{"controller.quorum.voters", "a:9093", "does not have the form <node id>@<host>:<port>"},
		{"controller.quorum.bootstrap.servers", "a:9093,b:9093", "no listener for them to reach this one"},
		{"process.roles", "broker", "where are the controllers?"},
		{"process.roles", "controller", "name the controller's listener in controller.listener.names"},
		{"queued.max.request.bytes", "1000", "must be at least socket.request.max.bytes"},
		{"max.connections", "0", "lets nobody in"},
		{"max.connections.per.ip", "0", "can be set to zero only if max.connections.per.ip.overrides"},
		{"max.connections.per.ip.overrides", "a b:1", "is no host"},
		{"connections.max.idle.ms", "0", "must be more than connection.failed.authentication.delay.ms=100"},
		{"broker.heartbeat.interval.ms", "2000", "must be at most half of broker.session.timeout.ms"},
		{"log.retention.ms", "0", "must be unlimited (-1) or, greater than or equal to 1"},
		{"log.cleanup.policy", "remove", "Invalid value remove for configuration log.cleanup.policy: String must be one of: compact, delete"},
	} {
		_, _, err := LoadBroker(FromMap("test", map[string]string{c.name: c.value}))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%s\nis answered %v\nnot           %s", c.name, c.value, err, c.want)
		}
	}
}

func TestAllMistakesAreToldAtOnce(t *testing.T) {
	_, _, err := LoadBroker(FromMap("test", map[string]string{"num.partitions": "0", "log.retention.hour": "1", "ssl.keystore.location": "x"}))
	if err == nil || strings.Count(err.Error(), "test: ") != 3 {
		t.Errorf("told is %v", err)
	}
}

func TestAMistakeInTheEnvironmentNamesTheVariable(t *testing.T) {
	_, _, err := LoadBroker(FromEnvironment([]string{"BARNABAS_LOG_RETENTION_HOUR=1"}))
	if err == nil || !strings.Contains(err.Error(), "BARNABAS_LOG_RETENTION_HOUR means log.retention.hour") {
		t.Errorf("told is %v", err)
	}
}

func TestAServiceOfKubernetesNamedBarnabasIsNoSetting(t *testing.T) {
	v, _, err := LoadBroker(FromEnvironment([]string{
		"BARNABAS_SERVICE_HOST=10.0.0.1", "BARNABAS_SERVICE_PORT=9092", "BARNABAS_SERVICE_PORT_KAFKA=9092", "BARNABAS_PORT=tcp://10.0.0.1:9092",
		"BARNABAS_PORT_9092_TCP=tcp://10.0.0.1:9092", "BARNABAS_PORT_9092_TCP_PROTO=tcp", "BARNABAS_PORT_9092_TCP_PORT=9092",
		"BARNABAS_PORT_9092_TCP_ADDR=10.0.0.1", "BARNABAS_HEADLESS_SERVICE_HOST=None", "BARNABAS_NUM_PARTITIONS=3",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if NumPartitions.Of(v) != 3 {
		t.Error("a setting beside them was not taken")
	}
}

func TestWhatIsNotActedOnWarnsOnceAReason(t *testing.T) {
	_, warnings, err := LoadBroker(FromMap("test", map[string]string{
		"transaction.max.timeout.ms": "1000", "transaction.state.log.load.buffer.size": "5", "num.io.threads": "16",
		"replica.lag.time.max.ms": "30000", "zookeeper.connect": "localhost:2181", "cruise.control.metrics.topic": "x",
		"ssl.keystore.type": "JKS", "authorizer.class.name": "",
	}))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, w := range warnings {
		lines = append(lines, w.String())
	}
	want := []string{
		"cruise.control.metrics.topic has no effect: " + noPlugIn,
		"transaction.max.timeout.ms, transaction.state.log.load.buffer.size have no effect: transactions are not served yet",
		"zookeeper.connect has no effect: Kafka 4 has removed it",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("warnings are\n%s", strings.Join(lines, "\n"))
	}
}

func TestNodeIDAndItsFormerNameStandForEachOther(t *testing.T) {
	if got := NodeID.Of(load(t, map[string]string{"broker.id": "7"})); got != 7 {
		t.Errorf("node.id is %d", got)
	}
	if _, _, err := LoadBroker(FromMap("test", map[string]string{"broker.id": "7", "node.id": "8"})); err == nil {
		t.Error("two different numbers are accepted")
	}
}

func TestValuesInPropertiesAreTakenLiterally(t *testing.T) {
	source, err := FromProperties("p", []byte("broker.rack = ${HOME}\\u0041 b\nlog.dirs=/a,\\\n  /b\n! comment\nnum.partitions:3\n"))
	if err != nil {
		t.Fatal(err)
	}
	v, _, err := LoadBroker(source)
	if err != nil {
		t.Fatal(err)
	}
	if BrokerRack.Of(v) != "${HOME}A b" || !slices.Equal(v.LogDirs(), []string{"/a", "/b"}) || NumPartitions.Of(v) != 3 {
		t.Errorf("rack %q, dirs %v, partitions %d", BrokerRack.Of(v), v.LogDirs(), NumPartitions.Of(v))
	}
}

func TestTopicsInheritWhatTheyDoNotSet(t *testing.T) {
	broker := load(t, map[string]string{"log.retention.hours": "1", "message.max.bytes": "2000"})
	topic := TopicValues(broker, map[string]string{"retention.ms": "5", "cleanup.policy": "compact"})
	if TopicRetentionMs.Of(topic) != 5 || TopicMaxMessageBytes.Of(topic) != 2000 || NumPartitions.Of(topic) != 1 {
		t.Errorf("retention.ms=%d max.message.bytes=%d", TopicRetentionMs.Of(topic), TopicMaxMessageBytes.Of(topic))
	}
	if !TopicRetentionMs.IsSet(topic) || TopicMaxMessageBytes.IsSet(topic) || TopicRetentionMs.IsSet(broker) {
		t.Error("it is not told what the topic itself set")
	}
	if !slices.Equal(TopicCleanupPolicy.Of(topic), []string{"compact"}) || !slices.Equal(TopicCleanupPolicy.Of(broker), []string{"delete"}) {
		t.Errorf("cleanup.policy is %v", TopicCleanupPolicy.Of(topic))
	}
}

func TestDurationsDoNotOverflow(t *testing.T) {
	v := Defaults()
	if Millis(TopicFlushMs, v) != math.MaxInt64 || Millis(GroupInitialRebalanceDelayMs, v) != 3*time.Second {
		t.Errorf("flush.ms is %v", Millis(TopicFlushMs, v))
	}
	if got := Millis(TopicRetentionMs, TopicValues(v, map[string]string{"retention.ms": "-1"})); got >= 0 {
		t.Errorf("unlimited retention is %v", got)
	}
}

func TestReadingASettingAllocatesNothing(t *testing.T) {
	v := Defaults()
	if n := testing.AllocsPerRun(100, func() { _ = TopicRetentionMs.Of(v); _ = TopicCleanupPolicy.Of(v) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
