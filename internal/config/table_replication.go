package config

// The values of replica.selector.class: Kafka's own classes.
const (
	RackAwareSelector = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
	leaderSelector    = "org.apache.kafka.common.replica.LeaderSelector"
)

// replicaSelector allows Kafka's own classes. Kafka takes any, and fails later when there is none of the name, so descriptions say
// nothing of what is allowed.
func replicaSelector() Check {
	return Check{problem: oneOf(RackAwareSelector, leaderSelector).problem}
}

// replicationRows are the settings of replication between brokers and of waiting requests.
func replicationRows() []Row {
	return []Row{
		{Name: "auto.leader.rebalance.enable", Type: Boolean, Default: "true",
			Doc: "Whether leadership goes back by itself to the preferred replicas once they are well again."},
		{Name: "controller.socket.timeout.ms", Type: Int, Default: "30000", Importance: Medium,
			Status: NotYet, Why: noCluster,
			Doc: "How long a broker waits for the controller's answer."},
		{Name: "default.replication.factor", Type: Int, Default: "1", Importance: Medium,
			Doc: "Replicas of a topic that is created without saying how many, by itself or by a client."},
		{Name: "delete.records.purgatory.purge.interval.requests", Type: Int, Default: "1", Importance: Medium,
			Status: NoEffect, Why: noPurgatory,
			Doc: "After how many finished waits Kafka clears the list of waiting DeleteRecords requests."},
		{Name: "fetch.purgatory.purge.interval.requests", Type: Int, Default: "1000", Importance: Medium,
			Status: NoEffect, Why: noPurgatory,
			Doc: "After how many finished waits Kafka clears the list of waiting fetches."},
		{Name: "leader.imbalance.check.interval.seconds", Type: Long, Default: "300", Check: atLeast(1),
			Doc: "How often leadership is looked over for going back to the preferred replicas."},
		{Name: "min.insync.replicas", Type: Int, Default: "1", Check: atLeast(1), Update: ClusterWide,
			Doc: "How many replicas, at most all, must have a record before acks=all is answered; with fewer in sync, such writes are refused."},
		{Name: "num.replica.alter.log.dirs.threads", Type: Int, Null: true,
			Status: NotYet, Why: noMoves,
			Doc: "Threads that move data between directories."},
		{Name: "num.replica.fetchers", Type: Int, Default: "1", Check: atLeast(1), Update: ClusterWide,
			Status: NotYet, Why: noCluster,
			Doc: "Connections with which a broker copies from each other broker."},
		{Name: "producer.purgatory.purge.interval.requests", Type: Int, Default: "1000", Importance: Medium,
			Status: NoEffect, Why: noPurgatory,
			Doc: "After how many finished waits Kafka clears the list of waiting produce requests."},
		{Name: "replica.fetch.backoff.ms", Type: Int, Default: "1000", Check: atLeast(0), Importance: Medium,
			Status: NotYet, Why: noCluster,
			Doc: "Pause before a follower asks again for a partition that failed."},
		{Name: "replica.fetch.max.bytes", Type: Int, Default: "1048576", Check: atLeast(0), Importance: Medium,
			Doc: "How much of one partition a follower asks for at once."},
		{Name: "replica.fetch.min.bytes", Type: Int, Default: "1",
			Doc: "How much new data a follower waits for, up to replica.fetch.wait.max.ms."},
		{Name: "replica.fetch.response.max.bytes", Type: Int, Default: "10485760", Check: atLeast(0), Importance: Medium,
			Doc: "How much of all partitions together a follower asks for at once."},
		{Name: "replica.fetch.wait.max.ms", Type: Int, Default: "500",
			Doc: "How long a follower's request waits for new data."},
		{Name: "replica.high.watermark.checkpoint.interval.ms", Type: Long, Default: "5000",
			Doc: "How often the high watermarks are noted down on disk."},
		{Name: "replica.lag.time.max.ms", Type: Long, Default: "30000",
			Doc: "How long a follower may be behind before it no longer counts as in sync."},
		{Name: "replica.selector.class", Type: String, Null: true, Importance: Medium, Check: replicaSelector(),
			Doc: "Which replica a consumer reads from: by RackAwareReplicaSelector one in its own rack (client.rack, broker.rack), else the leader. Own Java classes cannot be had."},
		{Name: "replica.socket.receive.buffer.bytes", Type: Int, Default: "65536",
			Status: NotYet, Why: noCluster,
			Doc: "Receive buffer of the connections between brokers."},
		{Name: "replica.socket.timeout.ms", Type: Int, Default: "30000",
			Status: NotYet, Why: noCluster,
			Doc: "How long a follower waits for the leader's answer."},
		{Name: "unclean.leader.election.enable", Type: Boolean, Default: "false", Update: ClusterWide,
			Doc: "Whether a replica that may lack acknowledged records can lead when no other is left: available instead of complete."},
		{Name: "unclean.leader.election.interval.ms", Type: Long, Default: "300000", Check: atLeast(1), Importance: Medium, Internal: true,
			Status: NotYet, Why: noCluster,
			Doc: "How often partitions without a leader are looked over when unclean elections are allowed."},
	}
}
