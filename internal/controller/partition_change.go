package controller

import (
	"slices"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// election says how far a change may go to give a partition a leader.
type election int8

const (
	// electOnline elects from the in-sync set, and keeps a leader that is in it.
	electOnline election = iota
	// electPreferred elects from the in-sync set, the first replica if it can be.
	electPreferred
	// electUnclean elects any live replica when nobody in sync is left, which
	// loses what only the others had.
	electUnclean
)

// partitionChange works out the record that takes a partition to a target. It
// is the one place that elects leaders and keeps the eligible leader replicas
// (KIP-966).
type partitionChange struct {
	partition  *meta.Partition
	topic      meta.ID
	index      int32
	level      int16 // metadata.version
	elrEnabled bool
	minISR     int
	election   election
	// acceptable says that a broker, whose replica lies in the directory, may lead.
	acceptable func(broker int32, directory meta.ID) bool
	defaultDir func(broker int32) meta.ID

	isr, replicas, adding, removing, elr []int32
	recovery                             int8
	uncleanShutdown                      int32 // a broker that lost its tail; NoLeader: none

	movedBroker int32    // whose replica lies elsewhere now
	movedTo     *meta.ID // nil: nobody's
}

// change begins a change of a partition that changes nothing yet.
func (d *decision) change(im *meta.Image, t *meta.Topic, index int32) *partitionChange {
	p := t.Partitions[index]
	c := &partitionChange{
		partition: p, topic: t.ID, index: index,
		level:           im.MetadataVersion(),
		elrEnabled:      elrEnabled(im),
		minISR:          d.minISR(im, t),
		uncleanShutdown: meta.NoLeader,
		isr:             p.ISR, replicas: p.Replicas, adding: p.Adding, removing: p.Removing, elr: p.ELR,
		recovery:   p.LeaderRecovery,
		defaultDir: func(id int32) meta.ID { return defaultDirectory(im, id) },
		acceptable: func(id int32, directory meta.ID) bool {
			b, _ := im.Broker(id)
			return isActive(im, id) && hasOnline(b, directory)
		},
	}
	return c
}

// directory is where a replica lies: where it was moved to, where it is known to
// be, or where its broker will put it.
func (c *partitionChange) directory(id int32) meta.ID {
	if c.movedTo != nil && id == c.movedBroker {
		return *c.movedTo
	}
	if i := slices.Index(c.partition.Replicas, id); i >= 0 {
		return c.partition.Directories[i]
	}
	return c.defaultDir(id)
}

// build is the record, or nil when nothing changes.
func (c *partitionChange) build() *meta.PartitionChangeRecord {
	r := meta.NewPartitionChange(c.topic, c.index)
	c.completeReassignment()
	c.keepEligible()
	uncleanly := c.elect(r)
	if r.Leader == meta.NoLeaderChange && !containsAll(c.replicas, c.partition.Replicas) {
		r.Leader = c.partition.Leader // a replica left: a new epoch fences what it sends
	}
	if uncleanly || !c.elrEnabled {
		c.elr = nil
	}
	if !slices.Equal(c.elr, c.partition.ELR) {
		r.EligibleLeaderReplicas = notNil(c.elr)
	}
	// Without eligible replicas the last in-sync replica stays on record, for it is
	// the only one that may lead again.
	if r.ISR == nil && (len(c.isr) > 0 || c.elrEnabled) && !slices.Equal(c.isr, c.partition.ISR) {
		r.ISR = notNil(c.isr)
	}
	c.bumpOnShrink(r)
	c.rememberLastLeader(r)
	c.assign(r)
	if c.recovery != c.partition.LeaderRecovery && !uncleanly {
		r.LeaderRecoveryState = c.recovery
	}
	if changesNothing(r) {
		return nil
	}
	return r
}

// elect names a leader if the one that is cannot stay. It says whether that
// loses data.
func (c *partitionChange) elect(r *meta.PartitionChangeRecord) (uncleanly bool) {
	leader, uncleanly := c.choose()
	if leader == c.partition.Leader || leader == meta.NoLeader && c.comesBack() {
		return false
	}
	r.Leader = leader
	switch {
	case slices.Contains(c.elr, leader):
		c.isr = []int32{leader}
		c.elr = without(c.elr, leader)
	case uncleanly:
		r.ISR = []int32{leader}
		if c.partition.LeaderRecovery != meta.Recovering {
			r.LeaderRecoveryState = meta.Recovering
		}
	}
	return uncleanly
}

// comesBack says that the leader is not there and in sync all the same: it was left in place over its restart (cleanUpAfter), which
// the change of another replica does not end.
func (c *partitionChange) comesBack() bool {
	return slices.Contains(c.isr, c.partition.Leader) && slices.Contains(c.replicas, c.partition.Leader)
}

func (c *partitionChange) choose() (leader int32, uncleanly bool) {
	if c.election == electPreferred && len(c.replicas) > 0 && c.mayLead(c.replicas[0]) {
		return c.replicas[0], false
	}
	if c.mayLead(c.partition.Leader) {
		return c.partition.Leader, false
	}
	for _, id := range c.replicas {
		if c.mayLead(id) {
			return id, false
		}
	}
	if last, ok := c.lastKnownLeader(); ok {
		return last, true
	}
	if c.election == electUnclean {
		for _, id := range c.replicas {
			if c.accepts(id) {
				return id, true
			}
		}
	}
	return meta.NoLeader, false
}

// mayLead says that a replica has everything that was acknowledged and is there.
func (c *partitionChange) mayLead(id int32) bool {
	has := slices.Contains(c.isr, id) || len(c.isr) == 0 && slices.Contains(c.elr, id)
	return has && c.accepts(id)
}

// accepts says that a replica is there, where it lies after the change: one that
// turned up in another directory may lead at once. One whose directory is not
// known is no replica of the partition as it is.
func (c *partitionChange) accepts(id int32) bool {
	return slices.Contains(c.partition.Replicas, id) && id != c.uncleanShutdown && c.acceptable(id, c.directory(id))
}

// lastKnownLeader is who led last, when nobody is eligible any more: the best
// that is left, though it may have lost its tail.
func (c *partitionChange) lastKnownLeader() (int32, bool) {
	if !c.elrEnabled || len(c.elr) > 0 || len(c.isr) > 0 || len(c.partition.LastKnownELR) != 1 {
		return 0, false
	}
	last := c.partition.LastKnownELR[0]
	return last, c.accepts(last)
}

// keepEligible works out who may lead though it is out of sync: whoever left the
// in-sync set while that was smaller than min.insync.replicas, for since then
// nothing was acknowledged that it does not have.
func (c *partitionChange) keepEligible() {
	if !c.elrEnabled {
		return
	}
	if len(c.isr) >= c.minISR {
		c.elr = nil
		return
	}
	var eligible []int32
	for _, id := range slices.Concat(c.partition.ELR, c.partition.ISR) {
		known := slices.Contains(c.isr, id) || slices.Contains(eligible, id)
		if !known && id != c.uncleanShutdown && slices.Contains(c.replicas, id) {
			eligible = append(eligible, id)
		}
	}
	c.elr = eligible
}

// rememberLastLeader keeps who led last while there is no leader.
func (c *partitionChange) rememberLastLeader(r *meta.PartitionChangeRecord) {
	switch {
	case !c.elrEnabled:
	case r.Leader == meta.NoLeader && len(c.partition.LastKnownELR) == 0 && c.partition.Leader >= 0:
		r.LastKnownELR = []int32{c.partition.Leader}
	case r.Leader >= 0 && len(c.partition.LastKnownELR) > 0:
		r.LastKnownELR = []int32{}
	}
}

// bumpOnShrink begins a new leader epoch when the in-sync set shrinks, which
// brokers needed before metadata.version 3.6 (KAFKA-15021).
func (c *partitionChange) bumpOnShrink(r *meta.PartitionChangeRecord) {
	if c.level < meta.Level36IV0 && r.Leader == meta.NoLeaderChange && r.ISR != nil && !containsAll(r.ISR, c.partition.ISR) {
		r.Leader = c.partition.Leader
	}
}

// assign says the replicas and their directories where they change.
func (c *partitionChange) assign(r *meta.PartitionChangeRecord) {
	reassigned := len(c.replicas) > 0 && !slices.Equal(c.replicas, c.partition.Replicas)
	if reassigned {
		r.Replicas = c.replicas
	}
	if (reassigned || c.movedTo != nil) && c.level >= meta.Level37IV2 {
		directories := make([]meta.ID, len(c.replicas))
		for i, id := range c.replicas {
			directories[i] = c.directory(id)
		}
		if !slices.Equal(directories, c.partition.Directories) {
			r.Directories = directories
		}
	}
	if !slices.Equal(c.removing, c.partition.Removing) {
		r.RemovingReplicas = notNil(c.removing)
	}
	if !slices.Equal(c.adding, c.partition.Adding) {
		r.AddingReplicas = notNil(c.adding)
	}
}

// completeReassignment ends a reassignment whose new replicas are all in sync.
func (c *partitionChange) completeReassignment() {
	if len(c.adding)+len(c.removing) == 0 {
		return
	}
	isr, replicas := without(c.isr, c.removing...), without(c.replicas, c.removing...)
	switch {
	case len(isr) == 0 || len(replicas) == 0:
		return // somebody that stays has to be in sync
	case !containsAll(isr, c.adding):
		return
	case len(c.adding) < len(c.removing) && !containsAll(isr, replicas):
		return // with fewer replicas than before, all of them have to be in sync
	}
	c.isr, c.replicas, c.adding, c.removing = isr, replicas, nil, nil
}

func changesNothing(r *meta.PartitionChangeRecord) bool {
	return r.ISR == nil && r.Leader == meta.NoLeaderChange && r.Replicas == nil &&
		r.RemovingReplicas == nil && r.AddingReplicas == nil &&
		r.LeaderRecoveryState == meta.RecoveryUnchanged && r.Directories == nil &&
		r.EligibleLeaderReplicas == nil && r.LastKnownELR == nil
}

// without are the ids but for some. It never changes ids.
func without(ids []int32, some ...int32) []int32 {
	return slices.DeleteFunc(slices.Clone(ids), func(id int32) bool { return slices.Contains(some, id) })
}

func containsAll(ids, all []int32) bool {
	return !slices.ContainsFunc(all, func(id int32) bool { return !slices.Contains(ids, id) })
}

// notNil is an empty list as the wire tells it from null, which means no change.
func notNil(ids []int32) []int32 {
	if ids == nil {
		return []int32{}
	}
	return ids
}
