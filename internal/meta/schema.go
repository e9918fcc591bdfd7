package meta

// schema says which versions of a record exist and makes an empty one.
type schema struct {
	name   string
	newest int16 // versions 0 to newest are valid
	make   func() Record
}

// schemas lists every record type of Kafka 4.4's metadata log.
var schemas = map[Kind]schema{
	KindRegisterBroker:            {"RegisterBrokerRecord", 4, func() Record { return new(RegisterBrokerRecord) }},
	KindUnregisterBroker:          {"UnregisterBrokerRecord", 0, func() Record { return new(UnregisterBrokerRecord) }},
	KindTopic:                     {"TopicRecord", 0, func() Record { return new(TopicRecord) }},
	KindPartition:                 {"PartitionRecord", 2, func() Record { return new(PartitionRecord) }},
	KindConfig:                    {"ConfigRecord", 0, func() Record { return new(ConfigRecord) }},
	KindPartitionChange:           {"PartitionChangeRecord", 2, func() Record { return new(PartitionChangeRecord) }},
	KindFenceBroker:               {"FenceBrokerRecord", 0, func() Record { return new(FenceBrokerRecord) }},
	KindUnfenceBroker:             {"UnfenceBrokerRecord", 0, func() Record { return new(UnfenceBrokerRecord) }},
	KindRemoveTopic:               {"RemoveTopicRecord", 0, func() Record { return new(RemoveTopicRecord) }},
	KindDelegationToken:           {"DelegationTokenRecord", 0, func() Record { return new(DelegationTokenRecord) }},
	KindUserScramCredential:       {"UserScramCredentialRecord", 0, func() Record { return new(UserScramCredentialRecord) }},
	KindFeatureLevel:              {"FeatureLevelRecord", 0, func() Record { return new(FeatureLevelRecord) }},
	KindClientQuota:               {"ClientQuotaRecord", 0, func() Record { return new(ClientQuotaRecord) }},
	KindProducerIDs:               {"ProducerIdsRecord", 0, func() Record { return new(ProducerIDsRecord) }},
	KindBrokerRegistrationChange:  {"BrokerRegistrationChangeRecord", 3, func() Record { return new(BrokerRegistrationChangeRecord) }},
	KindAccessControlEntry:        {"AccessControlEntryRecord", 0, func() Record { return new(AccessControlEntryRecord) }},
	KindRemoveAccessControlEntry:  {"RemoveAccessControlEntryRecord", 0, func() Record { return new(RemoveAccessControlEntryRecord) }},
	KindNoOp:                      {"NoOpRecord", 0, func() Record { return new(NoOpRecord) }},
	KindZkMigrationState:          {"ZkMigrationStateRecord", 0, func() Record { return new(ZkMigrationStateRecord) }},
	KindRemoveUserScramCredential: {"RemoveUserScramCredentialRecord", 0, func() Record { return new(RemoveUserScramCredentialRecord) }},
	KindBeginTransaction:          {"BeginTransactionRecord", 0, func() Record { return new(BeginTransactionRecord) }},
	KindEndTransaction:            {"EndTransactionRecord", 0, func() Record { return new(EndTransactionRecord) }},
	KindAbortTransaction:          {"AbortTransactionRecord", 0, func() Record { return new(AbortTransactionRecord) }},
	KindRemoveDelegationToken:     {"RemoveDelegationTokenRecord", 0, func() Record { return new(RemoveDelegationTokenRecord) }},
	KindRegisterController:        {"RegisterControllerRecord", 0, func() Record { return new(RegisterControllerRecord) }},
	KindClearElr:                  {"ClearElrRecord", 0, func() Record { return new(ClearElrRecord) }},
	KindUnregisterController:      {"UnregisterControllerRecord", 0, func() Record { return new(UnregisterControllerRecord) }},
}
