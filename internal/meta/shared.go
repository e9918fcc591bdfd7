package meta

import "encoding/binary"

// shared lets partitions have equal lists in common: thousands of partitions lie on the same few brokers, and each list would
// cost them an allocation of its own. Lists in an image are never written to.
type shared struct {
	ids  map[string][]int32
	dirs map[string][]ID
	key  []byte // scratch
}

// maxShared bounds what one edit remembers; clusters have fewer different lists, or gain little.
const maxShared = 1 << 12

func (s *shared) brokers(ids []int32) []int32 {
	if len(ids) == 0 {
		return ids
	}
	s.key = s.key[:0]
	for _, id := range ids {
		s.key = binary.BigEndian.AppendUint32(s.key, uint32(id))
	}
	return remember(&s.ids, s.key, ids)
}

func (s *shared) directories(ids []ID) []ID {
	if len(ids) == 0 {
		return ids
	}
	s.key = s.key[:0]
	for _, id := range ids {
		s.key = append(s.key, id[:]...)
	}
	return remember(&s.dirs, s.key, ids)
}

func remember[T any](known *map[string][]T, key []byte, list []T) []T {
	if same, ok := (*known)[string(key)]; ok {
		return same
	}
	if *known == nil {
		*known = make(map[string][]T)
	}
	list = list[:len(list):len(list)] // whoever appends to it copies it
	if len(*known) < maxShared {
		(*known)[string(key)] = list
	}
	return list
}
