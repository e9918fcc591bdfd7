package meta

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

func (e *Edit) actOnSecurity(r Record) error {
	switch r := r.(type) {
	case *AccessControlEntryRecord:
		e.touched.acls = true
		mutable(&e.next.acls, &e.forked.acls).Set(string(r.ID[:]), r)
	case *RemoveAccessControlEntryRecord:
		e.touched.acls = true
		if _, ok := mutable(&e.next.acls, &e.forked.acls).Delete(string(r.ID[:])); !ok {
			return fmt.Errorf("%s for the unknown id %s", r.Kind(), FormatID(r.ID))
		}
	case *UserScramCredentialRecord:
		e.touched.scram = true
		mutable(&e.next.scram, &e.forked.scram).Set(scramKey(r.Mechanism, r.Name), r)
	case *RemoveUserScramCredentialRecord:
		e.touched.scram = true
		mutable(&e.next.scram, &e.forked.scram).Delete(scramKey(r.Mechanism, r.Name))
	case *DelegationTokenRecord:
		e.touched.tokens = true
		mutable(&e.next.tokens, &e.forked.tokens).Set(r.TokenID, r)
	case *RemoveDelegationTokenRecord:
		e.touched.tokens = true
		mutable(&e.next.tokens, &e.forked.tokens).Delete(r.TokenID)
	case *ClientQuotaRecord:
		e.touched.quotas = true
		e.clientQuota(r)
	default:
		panic(fmt.Sprintf("meta: replaying %T", r))
	}
	return nil
}

func (e *Edit) clientQuota(r *ClientQuotaRecord) {
	entity := slices.Clone(r.Entity)
	slices.SortStableFunc(entity, func(a, b QuotaEntity) int { return cmp.Compare(a.EntityType, b.EntityType) })
	key := quotaKey(entity)
	var values map[string]float64
	if was, ok := e.next.quotas.get(key); ok {
		values = maps.Clone(was.Values)
	}
	if r.Remove {
		delete(values, r.Key)
	} else {
		if values == nil {
			values = make(map[string]float64)
		}
		values[r.Key] = r.Value
	}
	quotas := mutable(&e.next.quotas, &e.forked.quotas)
	if len(values) == 0 {
		quotas.Delete(key)
		return
	}
	quotas.Set(key, &ClientQuota{Entity: entity, Values: values})
}

// quotaKey tells sorted entities apart, the default from one named "".
func quotaKey(entity []QuotaEntity) string {
	var key []byte
	for _, part := range entity {
		key = binary.AppendUvarint(key, uint64(len(part.EntityType)))
		key = append(key, part.EntityType...)
		if part.EntityName == nil {
			key = append(key, 0)
			continue
		}
		key = binary.AppendUvarint(key, uint64(len(*part.EntityName))+1)
		key = append(key, *part.EntityName...)
	}
	return string(key)
}
