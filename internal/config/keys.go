package config

// Of the node, its roles and the controller quorum.
var (
	NodeID                                    = broker[int32]("node.id")
	brokerIDKey                               = broker[int32]("broker.id")
	processRolesKey                           = broker[[]string]("process.roles")
	BrokerRack                                = broker[string]("broker.rack")
	controllerListenersKey                    = broker[[]string]("controller.listener.names")
	votersKey                                 = broker[[]string]("controller.quorum.voters")
	bootstrapServersKey                       = broker[[]string]("controller.quorum.bootstrap.servers")
	ControllerQuorumElectionTimeoutMs         = broker[int32]("controller.quorum.election.timeout.ms")
	BrokerHeartbeatIntervalMs                 = broker[int32]("broker.heartbeat.interval.ms")
	BrokerSessionTimeoutMs                    = broker[int32]("broker.session.timeout.ms")
	MetadataLogMaxRecordBytesBetweenSnapshots = broker[int64]("metadata.log.max.record.bytes.between.snapshots")
	MetadataLogMaxSnapshotIntervalMs          = broker[int64]("metadata.log.max.snapshot.interval.ms")
	MetadataMaxRetentionBytes                 = broker[int64]("metadata.max.retention.bytes")
	MetadataMaxRetentionMs                    = broker[int64]("metadata.max.retention.ms")
	MetadataLogDir                            = broker[string]("metadata.log.dir")
	MetadataLogSegmentBytes                   = broker[int32]("metadata.log.segment.bytes")
)

// Of listeners, connections and requests.
var (
	listenersKey                         = broker[[]string]("listeners")
	advertisedListenersKey               = broker[[]string]("advertised.listeners")
	protocolMapKey                       = broker[string]("listener.security.protocol.map")
	interBrokerListenerKey               = broker[string]("inter.broker.listener.name")
	interBrokerProtocolKey               = broker[string]("security.inter.broker.protocol")
	SocketReceiveBufferBytes             = broker[int32]("socket.receive.buffer.bytes")
	SocketSendBufferBytes                = broker[int32]("socket.send.buffer.bytes")
	SocketRequestMaxBytes                = broker[int32]("socket.request.max.bytes")
	MaxConnections                       = broker[int32]("max.connections")
	MaxConnectionsPerIP                  = broker[int32]("max.connections.per.ip")
	connectionsPerIPKey                  = broker[string]("max.connections.per.ip.overrides")
	ConnectionsMaxIdleMs                 = broker[int64]("connections.max.idle.ms")
	QueuedMaxRequestBytes                = broker[int64]("queued.max.request.bytes")
	FetchMaxBytes                        = broker[int32]("fetch.max.bytes")
	MaxIncrementalFetchSessionCacheSlots = broker[int32]("max.incremental.fetch.session.cache.slots")
	MaxRequestPartitionSizeLimit         = broker[int32]("max.request.partition.size.limit")
)

// Of topics and logs. Most are the defaults of topics: read those through the topic handles.
var (
	NumPartitions                            = broker[int32]("num.partitions")
	DefaultReplicationFactor                 = broker[int32]("default.replication.factor")
	AutoCreateTopicsEnable                   = broker[bool]("auto.create.topics.enable")
	DeleteTopicEnable                        = broker[bool]("delete.topic.enable")
	logDirKey                                = broker[[]string]("log.dir")
	logDirsKey                               = broker[[]string]("log.dirs")
	LogRetentionCheckIntervalMs              = broker[int64]("log.retention.check.interval.ms")
	LogFlushOffsetCheckpointIntervalMs       = broker[int32]("log.flush.offset.checkpoint.interval.ms")
	NumRecoveryThreadsPerDataDir             = broker[int32]("num.recovery.threads.per.data.dir")
	ReplicaHighWatermarkCheckpointIntervalMs = broker[int64]("replica.high.watermark.checkpoint.interval.ms")
)

// Of compaction.
var (
	LogCleanerBackoffMs           = broker[int64]("log.cleaner.backoff.ms")
	LogCleanerDedupeBufferSize    = broker[int64]("log.cleaner.dedupe.buffer.size")
	LogCleanerEnable              = broker[bool]("log.cleaner.enable")
	LogCleanerIOBufferLoadFactor  = broker[float64]("log.cleaner.io.buffer.load.factor")
	LogCleanerIOBufferSize        = broker[int32]("log.cleaner.io.buffer.size")
	LogCleanerIOMaxBytesPerSecond = broker[float64]("log.cleaner.io.max.bytes.per.second")
	LogCleanerThreads             = broker[int32]("log.cleaner.threads")
)

// Of groups, committed offsets and producers.
var (
	OffsetsTopicNumPartitions       = broker[int32]("offsets.topic.num.partitions")
	OffsetsTopicReplicationFactor   = broker[int16]("offsets.topic.replication.factor")
	OffsetsTopicSegmentBytes        = broker[int32]("offsets.topic.segment.bytes")
	OffsetsRetentionMinutes         = broker[int32]("offsets.retention.minutes")
	OffsetsRetentionCheckIntervalMs = broker[int64]("offsets.retention.check.interval.ms")
	OffsetMetadataMaxBytes          = broker[int32]("offset.metadata.max.bytes")
	GroupInitialRebalanceDelayMs    = broker[int32]("group.initial.rebalance.delay.ms")
	GroupMinSessionTimeoutMs        = broker[int32]("group.min.session.timeout.ms")
	GroupMaxSessionTimeoutMs        = broker[int32]("group.max.session.timeout.ms")
	GroupMaxSize                    = broker[int32]("group.max.size")
	ProducerIDExpirationMs          = broker[int32]("producer.id.expiration.ms")
)

// Our own.
var (
	AdminListener     = broker[string]("barnabas.admin.listener")
	LogLevel          = broker[string]("barnabas.log.level")
	LogFormat         = broker[string]("barnabas.log.format")
	DiskReserveBytes  = broker[int64]("barnabas.disk.reserve.bytes")
	MaxOpenLogFiles   = broker[int32]("barnabas.max.open.log.files")
	DiskOperationsMax = broker[int32]("barnabas.disk.operations.max")
	FlushWorkers      = broker[int32]("barnabas.flush.workers")
	ShutdownTimeoutMs = broker[int32]("barnabas.shutdown.timeout.ms")
)
