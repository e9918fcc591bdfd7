package group

// expiry is how far the shard has come in looking for expired offsets.
type expiry struct {
	at    int64  // when to go on, in milliseconds
	group string // the group to go on behind, empty: from the first
}

// expire deletes offsets that nobody has needed for the retention time (KIP-211), and groups that are left with neither
// offsets nor members. It looks at a part of the shard and comes back for the rest at once.
func (e *edit) expire() {
	x := &e.shard.expiry
	done, seen, last := true, 0, x.group
	e.shard.groups.Ascend(x.group, func(id string, g *Group) bool {
		if id == x.group && id != "" {
			return true
		}
		if done = seen < maxScanAtOnce; !done {
			return false
		}
		seen += 1 + e.expireGroup(g)
		if done = !e.full(); done {
			last = id
		}
		return done
	})
	if done {
		e.shard.expiry = expiry{at: e.now + e.shard.config.RetentionCheckMs}
	} else {
		e.shard.expiry = expiry{at: e.now, group: last}
	}
}

// expireGroup writes the tombstones that are due in a group, and gives the number of offsets it looked at.
func (e *edit) expireGroup(g *Group) (seen int) {
	nothingLeft := true
	e.shard.offsetsOf(g.ID, "", firstPartition, func(o *Offset) bool {
		if seen++; e.full() {
			nothingLeft = false
			return false
		}
		if e.expired(g, o) {
			e.write(offsetTombstone(o.Group, o.Topic, o.Partition))
		} else {
			nothingLeft = false
		}
		return true
	})
	if nothingLeft && g.State == Empty && !e.shard.hasOpenTransaction(g.ID) {
		e.write(GroupRecord{Group: g.ID})
	}
	return seen
}

// expired says whether an offset may go. While a group has members, only offsets of topics that a stable consumer group
// is known not to read any more; when it is empty, from when it became so; those of a group that never had members, from
// their commit.
func (e *edit) expired(g *Group, o *Offset) bool {
	if g.subscribes(o.Topic) || e.shard.hasPendingOffset(o.Group, o.Topic, o.Partition) {
		return false
	}
	since := o.CommittedAt
	switch {
	case g.ProtocolType == "":
	case g.State == Empty:
		if g.Since != -1 {
			since = g.Since
		}
	case g.State == Stable && g.usesConsumerProtocol() && g.topicsKnown:
	default:
		return false
	}
	if o.ExpiresAt != -1 {
		return e.now >= o.ExpiresAt
	}
	return e.now-since >= e.shard.config.OffsetsRetentionMs
}
