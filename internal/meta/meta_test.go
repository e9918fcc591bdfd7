package meta

import (
	"reflect"
	"testing"
)

func TestEveryRecordOfEveryVersionComesBackAsItWasWritten(t *testing.T) {
	for kind, s := range schemas {
		for version := int16(0); version <= s.newest; version++ {
			r := s.make()
			if change, ok := r.(*PartitionChangeRecord); ok {
				*change = *NewPartitionChange(ID{1}, 3)
			}
			b, err := EncodeVersion(nil, r, version)
			if err != nil {
				t.Fatalf("%s version %d: %v", kind, version, err)
			}
			back, v, err := DecodeVersion(b)
			if err != nil || v != version || !reflect.DeepEqual(back, r) {
				t.Errorf("%s version %d: %x came back as version %d %+v (%v), was %+v", kind, version, b, v, back, err, r)
			}
		}
	}
}
