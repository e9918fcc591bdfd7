package api

// ControllerTable is what the listeners of controller.listener.names serve: to other nodes Envelope, and to tools that were given
// --bootstrap-controller (KIP-919) what the controller decides or knows. Each controller takes requests, and has the active one
// decide them.
func ControllerTable() []Row {
	return []Row{
		{Key: 18, Min: 0, Max: 5, Handle: (*Broker).apiVersions},
		{Key: 19, Min: 0, Max: 7, Handle: (*Broker).createTopics},
		{Key: 20, Min: 0, Max: 6, Handle: (*Broker).deleteTopics},
		{Key: 32, Min: 0, Max: 4, Handle: (*Broker).describeConfigs},
		{Key: 33, Min: 0, Max: 2, Handle: (*Broker).alterConfigs},
		{Key: 37, Min: 0, Max: 3, Handle: (*Broker).createPartitions},
		{Key: 43, Min: 0, Max: 2, Handle: (*Broker).electLeaders},
		{Key: 44, Min: 0, Max: 1, Handle: (*Broker).incrementalAlterConfigs},
		{Key: 45, Min: 0, Max: 1, Handle: (*Broker).alterPartitionReassignments},
		{Key: 46, Min: 0, Max: 0, Handle: (*Broker).listPartitionReassignments},
		{Key: 55, Min: 0, Max: 2, Handle: (*Broker).describeQuorum},
		{Key: 57, Min: 0, Max: 2, Handle: (*Broker).updateFeatures},
		{Key: 58, Min: 0, Max: 0, Handle: (*Broker).envelope},
		{Key: 60, Min: 0, Max: 2, Handle: (*Broker).describeControllers},
		{Key: 64, Min: 0, Max: 0, Handle: (*Broker).unregisterBroker},
		{Key: 80, Min: 0, Max: 1, Handle: (*Broker).addRaftVoter},
		{Key: 81, Min: 0, Max: 0, Handle: (*Broker).removeRaftVoter},
	}
}

// DoorForNodes is what the listeners for clients serve, unadvertised, on a controller that has no listener of its own.
func DoorForNodes() Row {
	return Row{Key: 58, Min: 0, Max: 0, Handle: (*Broker).envelope, Hidden: true}
}

// Table is every request that is served, by key. ApiVersions advertises exactly these rows. Each Max is Kafka 4.4's
// newest stable version; each Min the oldest that the codec has, older than what Kafka 4.x serves, because KIP-896
// broke clients that are still in use.
func Table() []Row {
	return []Row{
		{Key: 0, Min: 0, Max: 13, Handle: (*Broker).produce, Aliases: true, Overlaps: true},
		{Key: 1, Min: 0, Max: 18, Handle: (*Broker).fetch},
		{Key: 2, Min: 0, Max: 11, Handle: (*Broker).listOffsets},
		{Key: 3, Min: 0, Max: 13, Handle: (*Broker).metadata},
		{Key: 8, Min: 0, Max: 10, Handle: (*Broker).offsetCommit},
		{Key: 9, Min: 0, Max: 10, Handle: (*Broker).offsetFetch},
		{Key: 10, Min: 0, Max: 6, Handle: (*Broker).findCoordinator},
		{Key: 11, Min: 0, Max: 9, Handle: (*Broker).joinGroup},
		{Key: 12, Min: 0, Max: 4, Handle: (*Broker).heartbeat},
		{Key: 13, Min: 0, Max: 5, Handle: (*Broker).leaveGroup},
		{Key: 14, Min: 0, Max: 5, Handle: (*Broker).syncGroup},
		{Key: 15, Min: 0, Max: 6, Handle: (*Broker).describeGroups},
		{Key: 16, Min: 0, Max: 5, Handle: (*Broker).listGroups},
		{Key: 18, Min: 0, Max: 5, Handle: (*Broker).apiVersions},
		{Key: 19, Min: 0, Max: 7, Handle: (*Broker).createTopics},
		{Key: 20, Min: 0, Max: 6, Handle: (*Broker).deleteTopics},
		{Key: 21, Min: 0, Max: 2, Handle: (*Broker).deleteRecords},
		{Key: 22, Min: 0, Max: 5, Handle: (*Broker).initProducerID},
		{Key: 23, Min: 0, Max: 4, Handle: (*Broker).offsetForLeaderEpoch},
		{Key: 32, Min: 0, Max: 4, Handle: (*Broker).describeConfigs},
		{Key: 33, Min: 0, Max: 2, Handle: (*Broker).alterConfigs},
		{Key: 35, Min: 0, Max: 5, Handle: (*Broker).describeLogDirs},
		{Key: 37, Min: 0, Max: 3, Handle: (*Broker).createPartitions},
		{Key: 42, Min: 0, Max: 3, Handle: (*Broker).deleteGroups},
		{Key: 43, Min: 0, Max: 2, Handle: (*Broker).electLeaders},
		{Key: 44, Min: 0, Max: 1, Handle: (*Broker).incrementalAlterConfigs},
		{Key: 45, Min: 0, Max: 1, Handle: (*Broker).alterPartitionReassignments},
		{Key: 46, Min: 0, Max: 0, Handle: (*Broker).listPartitionReassignments},
		{Key: 47, Min: 0, Max: 0, Handle: (*Broker).offsetDelete},
		{Key: 55, Min: 0, Max: 2, Handle: (*Broker).describeQuorum},
		{Key: 57, Min: 0, Max: 2, Handle: (*Broker).updateFeatures},
		{Key: 60, Min: 0, Max: 2, Handle: (*Broker).describeCluster},
		{Key: 61, Min: 0, Max: 0, Handle: (*Broker).describeProducers},
		{Key: 64, Min: 0, Max: 0, Handle: (*Broker).unregisterBroker},
		{Key: 74, Min: 0, Max: 1, Handle: (*Broker).listConfigResources},
		{Key: 75, Min: 0, Max: 0, Handle: (*Broker).describeTopicPartitions},
		{Key: 80, Min: 0, Max: 1, Handle: (*Broker).addRaftVoter},
		{Key: 81, Min: 0, Max: 0, Handle: (*Broker).removeRaftVoter},
	}
}
