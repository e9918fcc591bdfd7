package controller

import (
	"slices"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// leaderUpdate says what happened to brokers that partitions have to follow.
type leaderUpdate struct {
	// remove are brokers that are leaving or gone: they lead nothing and are in
	// sync with nothing, whatever the image still says.
	remove []int32
	// unclean is a broker that came back without its tail, and is not even
	// eligible; NoLeader: none.
	unclean int32
	// returning, unless nil, is one of remove that will be back in a moment, with
	// all records: what it leads, and nobody else can, is left to it.
	returning *meta.Broker
}

// gone is the update for brokers that have left or are leaving.
func gone(ids ...int32) leaderUpdate { return leaderUpdate{remove: ids, unclean: meta.NoLeader} }

// inISR selects the partitions that have one of the brokers in sync.
func inISR(ids ...int32) func(*meta.Partition) bool {
	return func(p *meta.Partition) bool {
		return slices.ContainsFunc(p.ISR, func(id int32) bool { return slices.Contains(ids, id) })
	}
}

// inISROrELR selects the partitions that have the broker in sync or eligible.
func inISROrELR(id int32) func(*meta.Partition) bool {
	return func(p *meta.Partition) bool { return slices.Contains(p.ISR, id) || slices.Contains(p.ELR, id) }
}

// leaderless selects the partitions without a leader.
func leaderless(p *meta.Partition) bool { return p.Leader == meta.NoLeader }

// updateLeaders adds the change of every selected partition. It visits all
// partitions, which happens once in a broker's life: 200,000 take a few
// milliseconds.
func (d *decision) updateLeaders(u leaderUpdate, selected func(*meta.Partition) bool) {
	im := d.advance()
	for t := range im.Topics() {
		for i, p := range t.Partitions {
			if !p.Exists() || !selected(p) {
				continue
			}
			if r := d.followUpdate(im, t, int32(i), u); r != nil {
				d.add(r)
			}
		}
	}
}

func (d *decision) followUpdate(im *meta.Image, t *meta.Topic, index int32, u leaderUpdate) *meta.PartitionChangeRecord {
	c := d.change(im, t, index)
	if d.uncleanElection(im, t.Name) {
		c.election = electUnclean
	}
	c.uncleanShutdown = u.unclean
	c.isr = without(without(c.isr, u.remove...), u.unclean)
	inImage := c.acceptable
	c.acceptable = func(id int32, directory meta.ID) bool {
		return !slices.Contains(u.remove, id) && inImage(id, directory)
	}
	r := c.build()
	if r != nil && r.Leader == meta.NoLeader && holdsLeader(u.returning, c.partition) {
		return nil
	}
	return r
}

// holdsLeader says that a broker has the replica that leads a partition.
func holdsLeader(b *meta.Broker, p *meta.Partition) bool {
	return b != nil && p.Leader == b.ID && hasOnline(b, p.Directories[slices.Index(p.Replicas, b.ID)])
}
