package config

// quotaRows are the settings of quotas and throttles.
func quotaRows() []Row {
	return []Row{
		{Name: "alter.log.dirs.replication.quota.window.num", Type: Int, Default: "11", Check: atLeast(1), Importance: Low,
			Status: NotYet, Why: noQuotas,
			Doc: "How many samples the throttle on moving data between directories averages over."},
		{Name: "alter.log.dirs.replication.quota.window.size.seconds", Type: Int, Default: "1", Check: atLeast(1), Importance: Low,
			Status: NotYet, Why: noQuotas,
			Doc: "Length of one sample of the throttle on moving data between directories."},
		{Name: "client.quota.callback.class", Type: Class, Null: true, Importance: Low,
			Status: NotYet, Why: noQuotas,
			Doc: "Java class that Kafka asks for a client's quota."},
		{Name: "controller.quota.window.num", Type: Int, Default: "11", Check: atLeast(1), Importance: Low,
			Status: NotYet, Why: noQuotas,
			Doc: "How many samples the quota on topic changes averages over."},
		{Name: "controller.quota.window.size.seconds", Type: Int, Default: "1", Check: atLeast(1), Importance: Low,
			Status: NotYet, Why: noQuotas,
			Doc: "Length of one sample of the quota on topic changes."},
		{Name: "follower.replication.throttled.rate", Type: Long, Dynamic: true, Default: "9223372036854775807", Check: atLeast(0), Importance: Medium, Update: ClusterWide,
			Doc: "Most bytes a second that this broker takes in as a follower of throttled partitions."},
		{Name: "leader.replication.throttled.rate", Type: Long, Dynamic: true, Default: "9223372036854775807", Check: atLeast(0), Importance: Medium, Update: ClusterWide,
			Doc: "Most bytes a second that this broker gives out as the leader of throttled partitions."},
		{Name: "quota.window.num", Type: Int, Default: "11", Check: atLeast(1), Importance: Low,
			Status: NotYet, Why: noQuotas,
			Doc: "How many samples client quotas average over."},
		{Name: "quota.window.size.seconds", Type: Int, Default: "1", Check: atLeast(1), Importance: Low,
			Status: NotYet, Why: noQuotas,
			Doc: "Length of one sample of client quotas."},
		{Name: "replica.alter.log.dirs.io.max.bytes.per.second", Type: Long, Dynamic: true, Default: "9223372036854775807", Check: atLeast(0), Importance: Medium, Update: ClusterWide,
			Status: NotYet, Why: noQuotas,
			Doc: "Most bytes a second that move between the directories of a broker."},
		{Name: "replication.quota.window.num", Type: Int, Default: "11", Check: atLeast(1), Importance: Low,
			Doc: "How many samples the throttle on replication averages over."},
		{Name: "replication.quota.window.size.seconds", Type: Int, Default: "1", Check: atLeast(1), Importance: Low,
			Doc: "Length of one sample of the throttle on replication."},
	}
}
