//go:build suite

package oracle

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// since39 are the configs that Kafka 4.4 has otherwise than 3.9, or only one of them has. Barnabas has those of 4.4 in
// every version of DescribeConfigs, and they are held against 4.4 in versions 1-4; 3.9 is asked for version 0 alone.
var since39 = strings.Fields(`
	add.partitions.to.txn.retry.backoff.max.ms add.partitions.to.txn.retry.backoff.ms advertised.listeners
	auto.include.jmx.reporter broker.id.generation.enable config.providers consumer.assignment.interval.ms
	consumer.heartbeat.interval.ms consumer.session.timeout.ms control.plane.listener.name
	controlled.shutdown.max.retries controlled.shutdown.retry.backoff.ms controller.quorum.auto.join.enable
	controller.quorum.fetch.max.bytes controller.quorum.fetch.snapshot.max.bytes cordoned.log.dirs
	delegation.token.master.key eligible.leader.replicas.enable errors.deadletterqueue.auto.create.topics.enable
	errors.deadletterqueue.copy.record.enable errors.deadletterqueue.group.enable errors.deadletterqueue.topic.name
	errors.deadletterqueue.topic.name.prefix follower.fetch.last.tiered.offset.enable
	group.consumer.assignment.interval.ms group.consumer.assignors group.consumer.max.assignment.interval.ms
	group.consumer.migration.policy group.consumer.min.assignment.interval.ms group.coordinator.append.linger.ms
	group.coordinator.background.threads group.coordinator.cached.buffer.max.bytes
	group.coordinator.rebalance.protocols group.coordinator.threads group.share.assignment.interval.ms
	group.share.assignors group.share.max.assignment.interval.ms group.share.max.delivery.count.limit
	group.share.max.groups group.share.max.partition.max.record.locks group.share.max.share.sessions
	group.share.min.assignment.interval.ms group.share.min.delivery.count.limit
	group.share.min.partition.max.record.locks group.share.partition.max.record.locks
	group.streams.assignment.interval.ms group.streams.assignors group.streams.heartbeat.interval.ms
	group.streams.initial.rebalance.delay.ms group.streams.max.assignment.interval.ms
	group.streams.max.heartbeat.interval.ms group.streams.max.session.timeout.ms group.streams.max.size
	group.streams.max.standby.replicas group.streams.min.assignment.interval.ms
	group.streams.min.heartbeat.interval.ms group.streams.min.session.timeout.ms group.streams.num.standby.replicas
	group.streams.rack.aware.assignment.tags group.streams.session.timeout.ms
	group.streams.topology.description.plugin.class inter.broker.protocol.version interval.ms
	leader.imbalance.per.broker.percentage log.message.downconversion.enable log.message.format.version
	log.message.timestamp.after.max.ms log.message.timestamp.difference.max.ms log.remote.copy.lag.bytes
	log.remote.copy.lag.ms match max.decompressed.message.bytes message.downconversion.enable
	message.format.version message.timestamp.after.max.ms message.timestamp.difference.max.ms metric.reporters
	metrics num.recovery.threads.per.data.dir offsets.commit.required.acks password.encoder.cipher.algorithm
	password.encoder.iterations password.encoder.key.length password.encoder.keyfactory.algorithm
	password.encoder.old.secret password.encoder.secret remote.copy.lag.bytes remote.copy.lag.ms
	remote.list.offsets.request.timeout.ms remote.log.manager.copier.thread.pool.size
	remote.log.manager.expiration.thread.pool.size remote.log.manager.follower.thread.pool.size
	remote.log.manager.thread.pool.size remote.log.reader.threads reserved.broker.max.id
	sasl.oauthbearer.allow.unverified.audience sasl.oauthbearer.allow.unverified.issuer
	sasl.oauthbearer.assertion.algorithm sasl.oauthbearer.assertion.claim.aud
	sasl.oauthbearer.assertion.claim.exp.seconds sasl.oauthbearer.assertion.claim.iss
	sasl.oauthbearer.assertion.claim.jti.include sasl.oauthbearer.assertion.claim.nbf.seconds
	sasl.oauthbearer.assertion.claim.sub sasl.oauthbearer.assertion.file sasl.oauthbearer.assertion.private.key.file
	sasl.oauthbearer.assertion.private.key.passphrase sasl.oauthbearer.assertion.template.file
	sasl.oauthbearer.client.credentials.client.id sasl.oauthbearer.client.credentials.client.secret
	sasl.oauthbearer.expected.audience sasl.oauthbearer.jwt.retriever.class sasl.oauthbearer.jwt.validator.class
	sasl.oauthbearer.scope share.assignment.interval.ms share.auto.offset.reset share.coordinator.append.linger.ms
	share.coordinator.cached.buffer.max.bytes share.coordinator.load.buffer.size
	share.coordinator.snapshot.update.records.per.snapshot share.coordinator.state.topic.compression.codec
	share.coordinator.state.topic.min.isr share.coordinator.state.topic.num.partitions
	share.coordinator.state.topic.replication.factor share.coordinator.state.topic.segment.bytes
	share.coordinator.threads share.coordinator.write.timeout.ms share.delivery.count.limit
	share.fetch.purgatory.purge.interval.requests share.heartbeat.interval.ms share.isolation.level
	share.partition.max.record.locks share.record.lock.duration.ms share.renew.acknowledge.enable
	share.session.timeout.ms streams.assignment.interval.ms streams.assignor.name streams.heartbeat.interval.ms
	streams.initial.rebalance.delay.ms streams.num.standby.replicas streams.rack.aware.assignment.tags
	streams.session.timeout.ms transaction.two.phase.commit.enable zookeeper.clientCnxnSocket zookeeper.connect
	zookeeper.connection.timeout.ms zookeeper.max.in.flight.requests zookeeper.metadata.migration.enable
	zookeeper.session.timeout.ms zookeeper.set.acl zookeeper.ssl.cipher.suites zookeeper.ssl.client.enable
	zookeeper.ssl.crl.enable zookeeper.ssl.enabled.protocols zookeeper.ssl.endpoint.identification.algorithm
	zookeeper.ssl.keystore.location zookeeper.ssl.keystore.password zookeeper.ssl.keystore.type
	zookeeper.ssl.ocsp.enable zookeeper.ssl.protocol zookeeper.ssl.truststore.location
	zookeeper.ssl.truststore.password zookeeper.ssl.truststore.type
`)

// AskShared compares the configs that 3.9 and 4.4 have alike where 3.9 is asked, and all where 4.4 is. Those of a topic
// are compared without it once.
func (t *Talk) AskShared(step string, r *kmsg.DescribeConfigsRequest) {
	response, err := t.Send("", r).take(answerTime)
	if got, ok := response.(*kmsg.DescribeConfigsResponse); ok && t.Version == 0 {
		for i := range got.Resources {
			got.Resources[i].Configs = slices.DeleteFunc(got.Resources[i].Configs, func(c kmsg.DescribeConfigsResponseResourceConfig) bool {
				return slices.Contains(since39, c.Name)
			})
			if len(got.Resources[i].Configs) == 0 {
				got.Resources[i].Configs = nil
			}
		}
	}
	t.record(step, response, err)
}
