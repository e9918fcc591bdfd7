package api

// tellLeader calls tell with the partition's leader and epoch as the image knows them (KIP-951), so that a client that
// asked the wrong broker need not fetch metadata first.
func (b *Broker) tellLeader(topic string, partition int32, tell func(leader, epoch int32)) {
	if state, ok := b.Image().Partition(topic, partition); ok {
		tell(state.Leader, state.LeaderEpoch)
	}
}
