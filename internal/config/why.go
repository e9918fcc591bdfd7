package config

// Milliseconds, as multipliers of synonyms.
const (
	minuteMs = 60 * 1000
	hourMs   = 60 * minuteMs
)

// Why a setting is not acted on: what is lost, or what stands in its place.
const (
	noTLS            = "TLS is not served yet, and what you want encrypted would be sent in clear"
	noAuthentication = "authentication is not served yet, and everybody would be let in"
	noAuthorizer     = "authorization is not served yet, and everybody would be allowed everything"
	noTokens         = "delegation tokens are not served yet"
	noTiers          = "tiered storage is not served yet: all data stays in the data directory, under retention.ms and retention.bytes"
	noShareGroups    = "share groups are not served yet"
	noStreamsGroups  = "streams groups are not served yet"
	noConsumerGroups = "groups of the consumer protocol (KIP-848) are not served yet; classic groups are"
	noTransactions   = "transactions are not served yet"
	noQuotas         = "quotas and throttles are not enforced yet: nobody is slowed down"
	noMoves          = "data does not move between directories yet"
	noCluster        = "how brokers copy from each other cannot be tuned by it yet"
	noPeers          = "how controllers talk to each other cannot be tuned by it yet"
	noTelemetry      = "client telemetry is not served yet: clients keep their metrics to themselves"
	noPolicies       = "Java classes cannot be loaded: changes are not held against your policy"
	noPlugIn         = "Java classes cannot be loaded: the built-in behaviour stays"
	noProviders      = "configuration providers are not there yet: ${…} in values is taken literally"
	noUnstable       = "only stable versions are served"
	noJMX            = "metrics are served for Prometheus at barnabas.admin.listener, always all of them"
	noPurgatory      = "waiting requests are woken directly; there is no purgatory to purge"
	noThreadPools    = "connections and groups share the machine's processors; there is no thread pool to size"
	ownBatching      = "records of one round are written together as they come; there is no linger to set"
	ownQuorumLog     = "the quorum keeps a log of its own, with its own limits"
	noWatch          = "there is nothing that takes this long to watch or to delay"
	noRates          = "connections are not limited by their rate yet: all are accepted at once"
	osBacklog        = "the operating system's own limit (net.core.somaxconn) holds"
	oneCheckpoint    = "where logs start is noted down at log.flush.offset.checkpoint.interval.ms too"
	plainOffsets     = "the offsets topic is written uncompressed"
	noCommitTimeout  = "a commit of offsets waits as long as the replicas need"
	expiresInPassing = "expired producers are forgotten whenever their log is looked over"
	segmentsBySize   = "the metadata log begins new segments by size alone"
	startsTogether   = "listeners open together, when the broker can serve"
)
