package meta

// Levels of the feature metadata.version at which something changed that is
// written or decided here. The names are Kafka's.
const (
	Level33IV3 int16 = 7  // the lowest that 4.4 reads
	Level34IV0 int16 = 8  // ZooKeeper migration in broker registrations
	Level35IV2 int16 = 11 // SCRAM credentials
	Level36IV0 int16 = 12 // a shrunk in-sync set bumps no leader epoch
	Level36IV1 int16 = 13 // metadata transactions
	Level36IV2 int16 = 14 // delegation tokens
	Level37IV0 int16 = 15 // controller registrations
	Level37IV2 int16 = 17 // directories of replicas
	Level40IV1 int16 = 23 // eligible leader replicas
	Level43IV0 int16 = 30 // cordoned directories
	Level44IV1 int16 = 32 // CIDR in ACL hosts
	Level44IV2 int16 = 33 // controllers unregister

	MinMetadataVersion    = Level33IV3
	LatestMetadataVersion = Level44IV2
)

// FeatureMetadataVersion is the feature that says which records may be written.
const FeatureMetadataVersion = "metadata.version"

// FeatureKRaftVersion is finalized by a control record, never by a
// FeatureLevelRecord (KAFKA-18979).
const FeatureKRaftVersion = "kraft.version"

// RecordVersion is the version of kind that metadata version level writes.
func RecordVersion(kind Kind, level int16) int16 {
	switch kind {
	case KindRegisterBroker:
		return pick(level, 1, Level34IV0, Level37IV2, Level43IV0)
	case KindBrokerRegistrationChange:
		return pick(level, 1, Level37IV2, Level43IV0)
	case KindPartition, KindPartitionChange:
		return pick(level, 0, Level37IV2, Level40IV1)
	}
	return 0
}

// pick is first, and one more for each of the steps that level has reached.
func pick(level, first int16, steps ...int16) int16 {
	for _, step := range steps {
		if level >= step {
			first++
		}
	}
	return first
}
