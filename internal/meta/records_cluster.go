package meta

// The struct tags below are the one table of the record schemas. A tag reads
//
//	kafka:"VERSIONS[,nullable VERSIONS][,tag=N][,default=N]"
//
// VERSIONS is "2+": the first version that has the field (none was ever taken
// out). A nullable field may be null from that version on: a nil pointer or a
// nil slice; an empty slice that is not nil is empty on the wire too. A tagged
// field is left out of the wire form when it has its default: the default
// given, null when it is nullable, else zero, empty or false.

// Endpoint is where a broker or a controller listens.
type Endpoint struct {
	Name             string `kafka:"0+"` // the listener's name
	Host             string `kafka:"0+"`
	Port             uint16 `kafka:"0+"`
	SecurityProtocol int16  `kafka:"0+"`

	UnknownTags
}

// SupportedFeature is the range of levels of one feature that a node supports.
type SupportedFeature struct {
	Name                string `kafka:"0+"`
	MinSupportedVersion int16  `kafka:"0+"`
	MaxSupportedVersion int16  `kafka:"0+"`

	UnknownTags
}

// RegisterBrokerRecord says that a broker process has joined, or joined anew.
// Version 1 adds controlled shutdown (KIP-841), 2 ZooKeeper migration, 3 log
// directories (KIP-858), 4 cordoned ones (KIP-1066).
type RegisterBrokerRecord struct {
	BrokerID             int32              `kafka:"0+"`
	IsMigratingZkBroker  bool               `kafka:"2+"`
	IncarnationID        ID                 `kafka:"0+"`
	BrokerEpoch          int64              `kafka:"0+"`
	EndPoints            []Endpoint         `kafka:"0+"`
	Features             []SupportedFeature `kafka:"0+"`
	Rack                 *string            `kafka:"0+,nullable 0+"`
	Fenced               bool               `kafka:"0+"`
	InControlledShutdown bool               `kafka:"1+"`
	LogDirs              []ID               `kafka:"3+,tag=0"`
	CordonedLogDirs      []ID               `kafka:"4+,nullable 4+,tag=1"`

	UnknownTags
}

// UnregisterBrokerRecord says that a broker has left for good.
type UnregisterBrokerRecord struct {
	BrokerID    int32 `kafka:"0+"`
	BrokerEpoch int64 `kafka:"0+"`

	UnknownTags
}

// FenceBrokerRecord is the older way to fence a broker.
type FenceBrokerRecord struct {
	ID    int32 `kafka:"0+"`
	Epoch int64 `kafka:"0+"`

	UnknownTags
}

// UnfenceBrokerRecord is the older way to unfence a broker.
type UnfenceBrokerRecord struct {
	ID    int32 `kafka:"0+"`
	Epoch int64 `kafka:"0+"`

	UnknownTags
}

// BrokerRegistrationChangeRecord changes parts of a broker's registration.
type BrokerRegistrationChangeRecord struct {
	BrokerID    int32 `kafka:"0+"`
	BrokerEpoch int64 `kafka:"0+"`
	// Fenced is 1 to fence, -1 to unfence, 0 to leave it.
	Fenced int8 `kafka:"0+,tag=0"`
	// InControlledShutdown is 1 when the broker has begun to leave, 0 to leave it.
	InControlledShutdown int8 `kafka:"1+,tag=1"`
	// LogDirs are the directories now online; empty: no change.
	LogDirs []ID `kafka:"2+,tag=2"`
	// CordonedLogDirs take no new replicas; null: no change.
	CordonedLogDirs []ID `kafka:"3+,nullable 3+,tag=3"`

	UnknownTags
}

// RegisterControllerRecord says where a controller listens and what it supports.
type RegisterControllerRecord struct {
	ControllerID     int32              `kafka:"0+"`
	IncarnationID    ID                 `kafka:"0+"`
	ZkMigrationReady bool               `kafka:"0+"`
	EndPoints        []Endpoint         `kafka:"0+"`
	Features         []SupportedFeature `kafka:"0+"`

	UnknownTags
}

// UnregisterControllerRecord says that a controller has left for good (KIP-1312).
type UnregisterControllerRecord struct {
	ControllerID int32 `kafka:"0+"`

	UnknownTags
}

// FeatureLevelRecord finalizes a feature at a level; level 0 takes it away.
type FeatureLevelRecord struct {
	Name         string `kafka:"0+"`
	FeatureLevel int16  `kafka:"0+"`

	UnknownTags
}

// ProducerIDsRecord says which producer id comes next, after a block was given.
type ProducerIDsRecord struct {
	BrokerID       int32 `kafka:"0+"`
	BrokerEpoch    int64 `kafka:"0+"`
	NextProducerID int64 `kafka:"0+"`

	UnknownTags
}

// ZkMigrationStateRecord is left behind by clusters that once ran ZooKeeper.
type ZkMigrationStateRecord struct {
	ZkMigrationState int8 `kafka:"0+"`

	UnknownTags
}

// NoOpRecord says nothing.
type NoOpRecord struct {
	UnknownTags
}

// BeginTransactionRecord begins a run of records that take effect together.
type BeginTransactionRecord struct {
	Name *string `kafka:"0+,nullable 0+,tag=0"`

	UnknownTags
}

// EndTransactionRecord lets the records since the begin take effect.
type EndTransactionRecord struct {
	UnknownTags
}

// AbortTransactionRecord drops the records since the begin.
type AbortTransactionRecord struct {
	Reason *string `kafka:"0+,nullable 0+,tag=0"`

	UnknownTags
}

// Kind names the record's type.
func (*RegisterBrokerRecord) Kind() Kind           { return KindRegisterBroker }
func (*UnregisterBrokerRecord) Kind() Kind         { return KindUnregisterBroker }
func (*FenceBrokerRecord) Kind() Kind              { return KindFenceBroker }
func (*UnfenceBrokerRecord) Kind() Kind            { return KindUnfenceBroker }
func (*BrokerRegistrationChangeRecord) Kind() Kind { return KindBrokerRegistrationChange }
func (*RegisterControllerRecord) Kind() Kind       { return KindRegisterController }
func (*UnregisterControllerRecord) Kind() Kind     { return KindUnregisterController }
func (*FeatureLevelRecord) Kind() Kind             { return KindFeatureLevel }
func (*ProducerIDsRecord) Kind() Kind              { return KindProducerIDs }
func (*ZkMigrationStateRecord) Kind() Kind         { return KindZkMigrationState }
func (*NoOpRecord) Kind() Kind                     { return KindNoOp }
func (*BeginTransactionRecord) Kind() Kind         { return KindBeginTransaction }
func (*EndTransactionRecord) Kind() Kind           { return KindEndTransaction }
func (*AbortTransactionRecord) Kind() Kind         { return KindAbortTransaction }
