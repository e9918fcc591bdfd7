package config

// cleanerRows are the settings of compaction.
func cleanerRows() []Row {
	return []Row{
		{Name: "log.cleaner.backoff.ms", Type: Long, Default: "15000", Check: atLeast(0), Importance: Medium, Update: ClusterWide,
			Doc: "How long compaction sleeps when there is nothing to compact."},
		{Name: "log.cleaner.dedupe.buffer.size", Type: Long, Default: "134217728", Importance: Medium, Update: ClusterWide,
			Doc: "Memory for the table of keys that all compaction threads share; more of it means fewer passes over a log."},
		{Name: "log.cleaner.delete.retention.ms", Type: Long, Default: "86400000", Check: atLeast(0), Importance: Medium, Update: ClusterWide,
			Doc: "How long a compacted topic keeps the marker of a deleted key, so that slow consumers still see the deletion."},
		{Name: "log.cleaner.enable", Type: Boolean, Default: "true", Importance: Medium,
			Doc: "Whether compacted topics are compacted; without, they only grow."},
		{Name: "log.cleaner.io.buffer.load.factor", Type: Double, Default: "0.9", Importance: Medium, Update: ClusterWide,
			Doc: "How full the table of keys may get: fuller handles more keys per pass and finds them more slowly."},
		{Name: "log.cleaner.io.buffer.size", Type: Int, Default: "524288", Check: atLeast(0), Importance: Medium, Update: ClusterWide,
			Doc: "Memory for reading and writing that all compaction threads share."},
		{Name: "log.cleaner.io.max.bytes.per.second", Type: Double, Default: "1.7976931348623157E308", Importance: Medium, Update: ClusterWide,
			Doc: "Most bytes a second that compaction reads and writes together."},
		{Name: "log.cleaner.max.compaction.lag.ms", Type: Long, Default: "9223372036854775807", Check: atLeast(1), Importance: Medium, Update: ClusterWide,
			Doc: "Longest time that a record may stay uncompacted."},
		{Name: "log.cleaner.min.cleanable.ratio", Type: Double, Default: "0.5", Check: between(0, 1), Importance: Medium, Update: ClusterWide,
			Doc: "Share of a log that must be uncompacted before it is compacted: less saves space, more saves work."},
		{Name: "log.cleaner.min.compaction.lag.ms", Type: Long, Default: "0", Check: atLeast(0), Importance: Medium, Update: ClusterWide,
			Doc: "Shortest time that a record stays uncompacted."},
		{Name: "log.cleaner.threads", Type: Int, Default: "1", Check: atLeast(0), Importance: Medium, Update: ClusterWide,
			Doc: "Threads that compact logs."},
	}
}
