package controller

import (
	"slices"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
)

// isActive says that a broker may lead and be in sync: registered, not fenced,
// not leaving.
func isActive(im *meta.Image, id int32) bool {
	b, ok := im.Broker(id)
	return ok && !b.Fenced && !b.InControlledShutdown
}

func (d *decision) active(ids []int32) []int32 {
	var out []int32
	for _, id := range ids {
		if isActive(d.im, id) {
			out = append(out, id)
		}
	}
	return out
}

// newPartition is a partition's first record: its in-sync set is whoever of the
// replicas is active, and the first of those leads.
func (d *decision) newPartition(topic meta.ID, index int32, replicas []int32) *meta.PartitionRecord {
	isr := d.active(replicas)
	r := &meta.PartitionRecord{
		PartitionID: index, TopicID: topic,
		Replicas: replicas, ISR: isr, Leader: isr[0],
		LeaderRecoveryState: meta.Recovered,
	}
	if d.im.MetadataVersion() >= meta.Level37IV2 {
		for _, id := range replicas {
			r.Directories = append(r.Directories, defaultDirectory(d.im, id))
		}
	}
	return r
}

// defaultDirectory is where a broker will put a replica, as far as that is
// known: a broker with several directories says later (KIP-858).
func defaultDirectory(im *meta.Image, id int32) meta.ID {
	b, ok := im.Broker(id)
	switch {
	case !ok:
		return meta.DirectoryUnassigned
	case len(b.LogDirs) == 0:
		return meta.DirectoryMigrating
	case len(b.LogDirs) == 1:
		return b.LogDirs[0]
	}
	return meta.DirectoryUnassigned
}

// hasOnline says that a replica in the directory can be served by the broker.
func hasOnline(b *meta.Broker, directory meta.ID) bool {
	switch directory {
	case meta.DirectoryUnassigned, meta.DirectoryMigrating:
		return true
	case meta.DirectoryLost:
		return false
	}
	// No directories are known of a broker that registered before metadata.version
	// 3.7-IV2 (KAFKA-16162); it halts when all of its directories are down.
	return len(b.LogDirs) == 0 || slices.Contains(b.LogDirs, directory)
}

// hasUncordoned says that a broker takes new replicas at all (KIP-1066).
func hasUncordoned(b *meta.Broker) bool {
	if len(b.LogDirs) == 0 || b.CordonedLogDirs == nil {
		return true
	}
	return slices.ContainsFunc(b.LogDirs, func(id meta.ID) bool { return !slices.Contains(b.CordonedLogDirs, id) })
}

// checkAssignment refuses replicas that a person chose and that cannot be. A
// factor of 0 is not compared.
func (d *decision) checkAssignment(replicas []int32, factor int) error {
	if len(replicas) == 0 {
		return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	sorted := slices.Sorted(slices.Values(replicas))
	for i, id := range sorted {
		b, ok := d.im.Broker(id)
		switch {
		case !ok:
			return refuse(kerr.InvalidReplicaAssignment,
				"The manual partition assignment includes broker %d, but no such broker is registered.", id)
		case !hasUncordoned(b):
			return refuse(kerr.InvalidReplicaAssignment,
				"The manual partition assignment includes broker %d, but all its log directories are cordoned.", id)
		case i > 0 && sorted[i-1] == id:
			return refuse(kerr.InvalidReplicaAssignment,
				"The manual partition assignment includes the broker %d more than once.", id)
		}
	}
	if factor != 0 && len(replicas) != factor {
		return refuse(kerr.InvalidReplicaAssignment,
			"The manual partition assignment includes a partition with %d replica(s), but this is not consistent with previous partitions, which have %d replica(s).",
			len(replicas), factor)
	}
	return nil
}
