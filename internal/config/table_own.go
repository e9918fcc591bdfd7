package config

// ownRows are the settings that Kafka does not have. All are called barnabas.….
func ownRows() []Row {
	return []Row{
		{Name: "barnabas.admin.listener", Type: String, Default: "127.0.0.1:9644", Check: hostPort(), Importance: Medium,
			Doc: "Address (host:port) at which /metrics, /healthz, /readyz and profiles are served; empty serves none of them."},
		{Name: "barnabas.log.level", Type: String, Default: "info", Check: oneOf("debug", "info", "warn", "error"), Importance: Medium,
			Doc: "The least important messages of the broker's own log that are still written."},
		{Name: "barnabas.log.format", Type: String, Default: "text", Check: oneOf("text", "json"), Importance: Low,
			Doc: "How the broker's own log is written: for people (text) or for machines (json)."},
		{Name: "barnabas.disk.reserve.bytes", Type: Long, Default: "0", Check: atLeast(-1), Importance: Medium,
			Doc: "Free space to leave on each disk, below which producing gets a retriable error while fetching, deleting and retention go on: 0 takes the smaller of 5 % of the disk and 1 GiB, -1 leaves none."},
		{Name: "barnabas.max.open.log.files", Type: Int, Default: "8000", Check: atLeast(64), Importance: Medium,
			Doc: "How many segment and index files may be open at once; the least recently used are closed beyond that. At most half of the descriptors that the process may have are used, so that connections find theirs."},
		{Name: "barnabas.internal.topics.factor.raise.enable", Type: Boolean, Default: "true", Importance: Medium,
			Doc: "Whether __consumer_offsets and its like, where they were made when there were fewer brokers, get the replicas that their settings ask for as brokers come (offsets.topic.replication.factor and its like)."},
		{Name: "barnabas.disk.operations.max", Type: Int, Default: "64", Check: between(1, 4096), Importance: Low,
			Doc: "How many disk operations that may block run at once in each data directory."},
		{Name: "barnabas.flush.workers", Type: Int, Default: "8", Check: between(1, 256), Importance: Low,
			Doc: "How many files of a data directory are synced to disk at once for those who wait for it."},
		{Name: "barnabas.shutdown.timeout.ms", Type: Int, Default: "30000", Check: atLeast(0), Importance: Low,
			Doc: "How long a graceful stop may take before the process ends without a clean shutdown."},
	}
}
