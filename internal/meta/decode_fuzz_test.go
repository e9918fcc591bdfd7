package meta

import (
	"bytes"
	"encoding/hex"
	"errors"
	"runtime"
	"testing"
)

// FuzzDecode holds that bytes are refused or understood: what is understood is
// written again in one way only, and nothing panics or allocates without bound.
func FuzzDecode(f *testing.F) {
	for _, g := range goldens(f) {
		if b, _ := hex.DecodeString(g.Bytes); schemaNamed(g.Record) != nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, version, err := DecodeVersion(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnsupportedVersion) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		once, err := EncodeVersion(nil, r, version)
		if err != nil {
			t.Fatalf("%+v was read and cannot be written: %v", r, err)
		}
		again, _, err := DecodeVersion(once)
		if err != nil {
			t.Fatalf("%x was written and cannot be read: %v", once, err)
		}
		twice, err := EncodeVersion(nil, again, version)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("written once as %x, then as %x (%v)", once, twice, err)
		}
	})
}

// FuzzDecodeControl is FuzzDecode for the records of control batches.
func FuzzDecodeControl(f *testing.F) {
	for _, g := range goldens(f) {
		for controlType, s := range controlSchemas {
			if b, _ := hex.DecodeString(g.Bytes); s.name == g.Record {
				f.Add([]byte{0, 0, 0, byte(controlType)}, b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		r, err := DecodeControl(key, value)
		if err != nil || r == nil {
			return
		}
		k, once := EncodeControl(r)
		again, err := DecodeControl(k, once)
		if err != nil {
			t.Fatalf("%x was written and cannot be read: %v", once, err)
		}
		if _, twice := EncodeControl(again); !bytes.Equal(once, twice) {
			t.Fatalf("written once as %x, then as %x", once, twice)
		}
	})
}

func TestAnAbsurdCountIsRefusedBeforeAnythingIsAllocated(t *testing.T) {
	// A partition with 2^32-2 replicas, a topic whose name has 4 GiB, and one with
	// as many tagged fields.
	for _, b := range [][]byte{
		append([]byte{1, 3, 0, 0, 0, 0, 0}, append(make([]byte, 16), 0xff, 0xff, 0xff, 0xff, 0x0f)...),
		{1, 2, 0, 0xff, 0xff, 0xff, 0xff, 0x0f},
		append([]byte{1, 9, 0}, append(make([]byte, 16), 0xff, 0xff, 0xff, 0xff, 0x0f)...),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(b)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("%x: %v", b, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
			t.Errorf("%x: %d bytes were allocated", b, n)
		}
	}
}
