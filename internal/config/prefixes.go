package config

import (
	"regexp"
	"strings"
)

// plugIn is a family of settings whose names Kafka leaves to others.
type plugIn struct {
	prefix string
	why    string
}

// plugIns are handed to Java classes by Kafka. None is loaded here.
func plugIns() []plugIn {
	return []plugIn{
		{"config.providers.", noProviders},
		{"rsm.config.", noTiers},
		{"rlmm.config.", noTiers},
		{"remote.log.metadata.", noTiers},
		{"metrics.jmx.", noJMX},
		{"metrics.context.", noJMX},
		{"kafka.csv.metrics.", noJMX},
		{"cruise.control.metrics.", noPlugIn},
		{"client.quota.callback.", noPlugIn},
		{"replica.selector.", noPlugIn},
		{"create.topic.policy.", noPolicies},
		{"alter.config.policy.", noPolicies},
	}
}

// removed are settings that older Kafkas had and 4.4 ignores; a file that still has them starts.
func removed(name string) bool {
	switch name {
	case "broker.id.generation.enable", "reserved.broker.max.id", "inter.broker.protocol.version",
		"log.message.format.version", "log.message.downconversion.enable", "log.message.timestamp.difference.max.ms",
		"control.plane.listener.name", "advertised.host.name", "advertised.port", "host.name", "port",
		"delegation.token.master.key", "offsets.commit.required.acks", "group.coordinator.new.enable",
		"log.cleaner.min.compaction.lag.bytes", "controller.quorum.fetch.interval.ms", "eligible.leader.replicas.enable",
		"password.encoder.secret", "password.encoder.old.secret", "password.encoder.keyfactory.algorithm",
		"password.encoder.cipher.algorithm", "password.encoder.key.length", "password.encoder.iterations",
		"controlled.shutdown.max.retries", "controlled.shutdown.retry.backoff.ms", "group.share.enable",
		"group.share.max.groups", "auto.include.jmx.reporter", "zookeeper.metadata.migration.enable",
		"zookeeper.metadata.migration.min.batch.size", "metadata.migration.min.batch.size", "quota.producer.default", "quota.consumer.default":
		return true
	}
	return strings.HasPrefix(name, "zookeeper.")
}

// authorizerSetting reports settings that Kafka's own authorizer reads.
func authorizerSetting(name string) bool {
	return name == "super.users" || name == "allow.everyone.if.no.acl.found" || strings.HasPrefix(name, "authorizer.")
}

var listenerPrefix = regexp.MustCompile(`^listener\.name\.([^.]*)\.(.+)$`)

// mechanismSettings follow a SASL mechanism's name behind a listener's prefix.
func mechanismSettings() []string {
	return []string{"sasl.jaas.config", "sasl.login.callback.handler.class", "sasl.login.class", "sasl.server.callback.handler.class", "connections.max.reauth.ms"}
}

// baseName is the setting that listener.name.<listener>.[<mechanism>.]<setting> overrides for
// one listener.
func baseName(name string) (listener, base string, found bool) {
	parts := listenerPrefix.FindStringSubmatch(name)
	if parts == nil {
		return "", "", false
	}
	listener, base = parts[1], parts[2]
	for _, setting := range mechanismSettings() {
		if strings.HasSuffix(base, "."+setting) {
			return listener, setting, true
		}
	}
	return listener, base, true
}
