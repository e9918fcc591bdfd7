package replica

// Idle says that nobody has used a partition's log since this was last asked, and that nobody waits for it. It is for the data
// directory that holds the log.
func (m *Manager) Idle(topic string, partition int32) bool {
	p, err := m.Get(topic, partition)
	if err != nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := !p.used && p.unattended()
	p.used = false
	return idle
}

// Rest closes a partition's log if it is idle still, and if its data directory has nothing to do with it.
func (m *Manager) Rest(topic string, partition int32) {
	p, err := m.Get(topic, partition)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used || !p.unattended() || !p.dir.Rest(topic, partition) {
		return
	}
	p.log, p.leader, p.resting = nil, nil, true
}

// unattended says that nobody is at the log, or waits for it, and that what the leader knows beside it is what rouse finds out
// again: all is committed, and no other replica counts. The caller holds mu.
func (p *Partition) unattended() bool {
	if p.log == nil {
		return p.resting // the data directory has opened it, for its own ends
	}
	alone := p.leader == nil || len(p.leader.replicas) == 1 && len(p.leader.parked) == 0
	committed := p.highWatermark.Load() == p.log.EndOffset()
	return alone && committed && p.gone == nil && p.hooks == nil && len(p.watches) == 0 && p.users.Load() == 0
}
