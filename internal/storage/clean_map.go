package storage

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math/bits"
	"unsafe"
)

const (
	// mapShards is the number of tables that an offset map consists of. Each grows on its own, so that growing needs
	// little memory beside what is there.
	mapShards = 64
	// firstShardSlots is where a table begins: small logs should cost little.
	firstShardSlots = 32
	slotBytes       = int64(unsafe.Sizeof(mapSlot{}))
)

// offsetMap remembers the newest offset of each key, by a hash of 16 bytes: keys themselves would not fit. Two
// keys with one hash would be taken for the same, which, as in Kafka, is left to the width of the hash. Its memory is
// bounded, and what it holds of it grows with use.
type offsetMap struct {
	limit      int64 // bytes of all tables
	loadFactor float64
	used       int64
	entries    int
	latest     int64 // offset up to which the log is counted in, -1: nothing is
	shards     [mapShards]mapShard
}

type mapShard struct {
	slots   []mapSlot
	entries int
}

// mapSlot holds a key's hash; after is the offset plus one, 0 in a free slot.
type mapSlot struct {
	keyHash
	after int64
}

func newOffsetMap(limit int64, loadFactor float64) *offsetMap {
	m := &offsetMap{limit: max(limit, mapShards*firstShardSlots*slotBytes), loadFactor: loadFactor, latest: -1}
	for i := range m.shards {
		m.shards[i].slots = make([]mapSlot, firstShardSlots)
	}
	m.used = mapShards * firstShardSlots * slotBytes
	return m
}

// keyHash stands for a key.
type keyHash struct{ high, low uint64 }

// keyHasher takes keys from batch.Scan. It is reused, as a log has many.
type keyHasher struct {
	hash.Hash
	sum [sha256.Size]byte
}

func newKeyHasher() *keyHasher { return &keyHasher{Hash: sha256.New()} }

// key is the hash of what has been written since the last reset.
func (h *keyHasher) key() keyHash {
	sum := h.Sum(h.sum[:0])
	return keyHash{binary.BigEndian.Uint64(sum), binary.BigEndian.Uint64(sum[8:])}
}

func (m *offsetMap) shard(key keyHash) *mapShard { return &m.shards[key.high>>58] }

// find returns the slot of a hash, or the free one where it belongs.
func (s *mapShard) find(key keyHash) *mapSlot {
	at, _ := bits.Mul64(key.low, uint64(len(s.slots)))
	for {
		slot := &s.slots[at]
		if slot.after == 0 || slot.keyHash == key {
			return slot
		}
		if at++; at == uint64(len(s.slots)) {
			at = 0
		}
	}
}

// get returns the newest offset of a key, -1 if there is none.
func (m *offsetMap) get(key keyHash) int64 { return m.shard(key).find(key).after - 1 }

// put notes an offset of a key, which is newer than those before, and reports whether there was room. When there is none the
// map stays as it is.
func (m *offsetMap) put(key keyHash, offset int64) bool {
	s := m.shard(key)
	slot := s.find(key)
	if slot.after == 0 {
		if float64(s.entries+1) > float64(len(s.slots))*m.loadFactor {
			if !m.grow(s) {
				return false
			}
			slot = s.find(key)
		}
		slot.keyHash = key
		s.entries++
		m.entries++
	}
	slot.after = offset + 1
	return true
}

// grow makes a table half as large again, or as large as its share of the limit allows.
func (m *offsetMap) grow(s *mapShard) bool {
	old := s.slots
	share := m.limit / mapShards / slotBytes
	size := min(int64(len(old)+len(old)/2), share)
	if float64(s.entries+1) > float64(size)*m.loadFactor {
		return false
	}
	s.slots = make([]mapSlot, size)
	for i := range old {
		if old[i].after != 0 {
			*s.find(old[i].keyHash) = old[i]
		}
	}
	m.used += (size - int64(len(old))) * slotBytes
	return true
}
