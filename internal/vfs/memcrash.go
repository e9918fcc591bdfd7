package vfs

import (
	"maps"
	"math/rand/v2"
	"slices"
)

func sortedNames(children map[string]*node) []string { return slices.Sorted(maps.Keys(children)) }

// settle makes the pending changes of a directory's names durable, in order. A change that involves a second directory is
// one change there too, so what came before it there becomes durable as well.
func (m *Mem) settle(dir *node) {
	dirs := map[*node]bool{dir: true}
	taken := make([]bool, len(m.pending))
	for i := len(m.pending) - 1; i >= 0; i-- {
		op := m.pending[i]
		if !slices.ContainsFunc(op.dirs, func(d *node) bool { return dirs[d] }) {
			continue
		}
		taken[i] = true
		for _, d := range op.dirs {
			dirs[d] = true
		}
	}
	rest := m.pending[:0]
	for i, op := range m.pending {
		if taken[i] {
			op.apply()
		} else {
			rest = append(rest, op)
		}
	}
	clear(m.pending[len(rest):])
	m.pending = rest
}

// Crash returns a disk as a power cut now may leave this one; the power of this one is off afterwards. What was synced is
// there. Of each file, every unsynced write is kept, lost or torn, one by one, whatever came later; of each directory, a
// prefix of the unsynced changes of names is kept. rng chooses; with nil everything unsynced is lost.
// It can be called again, for another of the disks that there may be.
func (m *Mem) Crash(rng *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off = true
	after := NewMem()
	after.capacity = m.capacity
	c := crash{rng: rng, copies: map[*node]*node{}}
	names := c.names(m)
	after.root = c.copyDir(m.root, names)
	after.used = after.root.size()
	return after
}

// Kill returns the disk as the death of the process now leaves it: everything that was written is there, locks are free, and
// what was not synced is still not durable. The power of this one is off afterwards, so that what still runs on it cannot write.
func (m *Mem) Kill() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off = true
	after := NewMem()
	after.capacity, after.used = m.capacity, m.used
	after.root, after.pending = m.root, m.pending
	// The old disk can do nothing any more, so the nodes may be shared.
	m.root, m.pending = newDir(), nil
	return after
}

// crash is one power cut.
type crash struct {
	rng    *rand.Rand
	copies map[*node]*node // a node with two names, amid a rename, stays one
}

// names returns every directory's durable names after some of the pending changes. Those are applied to clones: the
// changes themselves are functions on the nodes' maps, so the maps are put back afterwards.
func (c *crash) names(m *Mem) map[*node]map[string]*node {
	before := map[*node]map[string]*node{}
	collect(m.root, before)
	for _, op := range m.pending {
		for _, d := range op.dirs {
			collect(d, before)
		}
	}
	stopped := map[*node]bool{}
	for _, op := range m.pending {
		kept := c.keep() && !slices.ContainsFunc(op.dirs, func(d *node) bool { return stopped[d] })
		if kept {
			op.apply()
			continue
		}
		for _, d := range op.dirs {
			stopped[d] = true
		}
	}
	after := map[*node]map[string]*node{}
	for d, names := range before {
		after[d] = d.durable
		d.durable = names
	}
	return after
}

// collect notes a clone of the durable names of a directory and of all that can be reached from it.
func collect(d *node, into map[*node]map[string]*node) {
	if _, seen := into[d]; seen || !d.dir {
		return
	}
	into[d] = maps.Clone(d.durable)
	for _, names := range []map[string]*node{d.durable, d.children} {
		for _, n := range names {
			collect(n, into)
		}
	}
}

// keep decides about one change of a name. Most are kept, so that long runs of changes get through in part.
func (c *crash) keep() bool { return c.rng != nil && c.rng.IntN(8) != 0 }

func (c *crash) copyDir(d *node, names map[*node]map[string]*node) *node {
	if done, ok := c.copies[d]; ok {
		return done
	}
	after := newDir()
	c.copies[d] = after
	for _, name := range sortedNames(names[d]) {
		n := names[d][name]
		var child *node
		if n.dir {
			child = c.copyDir(n, names)
		} else {
			child = c.copyFile(n)
		}
		child.links++
		after.children[name], after.durable[name] = child, child
	}
	return after
}

func (c *crash) copyFile(n *node) *node {
	if done, ok := c.copies[n]; ok {
		return done
	}
	data := slices.Clone(n.synced)
	if c.rng != nil {
		// One fate for the whole file now and then: independent ones alone would hardly ever keep, or lose, all of many.
		all := c.rng.IntN(4)
		for _, w := range n.unsynced {
			switch fate := c.rng.IntN(3); {
			case all == 0 || all > 1 && fate == 0:
				data = w.apply(data)
			case all == 1 || fate == 1: // lost
			default:
				data = c.tear(w).apply(data)
			}
		}
	}
	after := &node{data: data, synced: slices.Clone(data)}
	c.copies[n] = after
	return after
}

// tear returns a prefix of a write, cut at any byte, or the write from one of its pages on, as pages reach the disk in any order.
func (c *crash) tear(w write) write {
	const page = 4096
	if len(w.data) == 0 {
		return w
	}
	if pages := len(w.data) / page; pages > 0 && c.rng.IntN(3) == 0 {
		skip := page * (1 + c.rng.IntN(pages))
		return write{offset: w.offset + int64(skip), data: append([]byte{}, w.data[skip:]...)}
	}
	return write{offset: w.offset, data: append([]byte{}, w.data[:c.rng.IntN(len(w.data))]...)}
}

// size is the bytes of all files below a directory.
func (n *node) size() int64 {
	total := int64(len(n.data))
	for _, child := range n.children {
		total += child.size()
	}
	return total
}
