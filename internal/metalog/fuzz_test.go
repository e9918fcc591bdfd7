package metalog

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func FuzzReferencesAndQuorumStatesComeBackAsTheyWere(f *testing.F) {
	f.Add(reference{Position{59, 1}, 1795644239296}.bytes())
	f.Add(quorumState{Version: 0, LeaderID: 1, LeaderEpoch: 3, Voters: []int32{1, 2}}.encode())
	f.Add(quorumState{Version: 1, LeaderID: -1, LeaderEpoch: 2}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseReference(b); err == nil && len(b) > 0 && !bytes.Equal(r.bytes(), b) {
			t.Errorf("reference %x came back as %x", b, r.bytes())
		}
		s, err := parseQuorumState(b)
		if err != nil {
			return
		}
		again, err := parseQuorumState(s.encode())
		if s.Version == stateWithDirectory {
			s.Voters = nil
		}
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("quorum state %+v came back as %+v: %v", s, again, err)
		}
	})
}

// FuzzACheckpointOfAnyBytesIsReadOrRefused also reads them as a log.
func FuzzACheckpointOfAnyBytesIsReadOrRefused(f *testing.F) {
	names, err := filepath.Glob("testdata/kafka44/__cluster_metadata-0/*.checkpoint")
	if err != nil || len(names) == 0 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		disk := vfs.NewMem()
		if err := vfs.WriteFileAtomic(disk, "/x", b, false); err != nil {
			t.Fatal(err)
		}
		for _, err := range ReadCheckpoint(disk, "/x") {
			if err != nil {
				break
			}
		}
		size := 0
		for r, err := range scanFile(disk, "/x") {
			if err != nil {
				break
			}
			size += len(r.bytes)
		}
		if size > len(b) {
			t.Errorf("read %d bytes of %d", size, len(b))
		}
	})
}
