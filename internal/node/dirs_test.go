package node_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func mustNotStart(t *testing.T, disk vfs.FS, settings map[string]string, says ...string) {
	t.Helper()
	p, err := launch(disk, settings)
	if err == nil {
		_ = p.stop()
		t.Fatalf("a broker starts with %v:\n%s", settings, p.journal)
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error does not say %q: %v", text, err)
		}
	}
}

// foldersOf are the folders in a data directory.
func foldersOf(t *testing.T, disk vfs.FS, dir string) []string {
	t.Helper()
	entries, err := disk.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() }) {
		names = append(names, e.Name())
	}
	return names
}

// Each of these began an empty cluster without a line in the log, and renamed the logs of the one that was there.
func TestDataDirectoriesInAnotherOrderAreRefusedAndLoseNothing(t *testing.T) {
	disk := vfs.NewMem()
	here := map[string]string{"log.dirs": "/a,/b"}
	p := mustLaunch(t, disk, here)
	id := furnish(t, p.client)
	p.mustStop(t)
	inA, inB := foldersOf(t, disk, "/a"), foldersOf(t, disk, "/b")

	mustNotStart(t, disk, map[string]string{"log.dirs": "/b,/a"}, "/a, but the metadata directory is /b", "metadata.log.dir=/a")
	mustNotStart(t, disk, map[string]string{"log.dirs": "/a,/b", "metadata.log.dir": "/new"}, "metadata.log.dir=/a")
	mustNotStart(t, disk, map[string]string{"log.dirs": "/a,/b", "metadata.log.dir": "/b"}, "metadata.log.dir=/a")
	mustNotStart(t, disk, map[string]string{"log.dirs": "/b"}, "metadata", "/b was in use")
	if a, b := foldersOf(t, disk, "/a"), foldersOf(t, disk, "/b"); !slices.Equal(a, inA) || !slices.Equal(b, inB) {
		t.Errorf("a start that was refused has left %v and %v, there were %v and %v", a, b, inA, inB)
	}

	for _, settings := range []map[string]string{here, {"log.dirs": "/b,/a", "metadata.log.dir": "/a/"}} {
		p = mustLaunch(t, disk, settings)
		expectFurniture(t, p.client, id)
		p.mustStop(t)
	}
}

func TestAMetadataDirectoryThatIsEmptyBesideLogsIsNotTrusted(t *testing.T) {
	disk := vfs.NewMem()
	apart := map[string]string{"log.dirs": "/a,/b", "metadata.log.dir": "/quorum"}
	p := mustLaunch(t, disk, apart)
	id := furnish(t, p.client)
	p.mustStop(t)

	must(t, disk.Rename("/quorum", "/unmounted"))
	mustNotStart(t, disk, apart, "/quorum", "not mounted")
	must(t, disk.MkdirAll("/quorum", 0o755))
	mustNotStart(t, disk, apart, "/quorum", "not mounted")
	must(t, disk.MkdirAll("/quorum/__cluster_metadata-0", 0o755))
	mustNotStart(t, disk, apart, "/quorum", "not mounted")

	must(t, disk.RemoveAll("/quorum"))
	must(t, disk.Rename("/unmounted", "/quorum"))
	p = mustLaunch(t, disk, apart)
	expectFurniture(t, p.client, id)
	p.mustStop(t)
}

// It must not be taken for a cluster whose metadata is gone.
func TestAFirstStartThatWasCutShortCanBeTriedAgain(t *testing.T) {
	for _, settings := range []map[string]string{
		{"log.dirs": "/a,/b"}, {"log.dirs": "/a,/b", "metadata.log.dir": "/b"}, {"log.dirs": "/a", "metadata.log.dir": "/quorum"},
	} {
		for after := int64(1); ; after += 5 {
			disk := vfs.NewMem()
			disk.PowerOffAt(after)
			p, err := launch(disk, settings)
			if err == nil {
				err = p.stop()
			}
			if !disk.Off() {
				must(t, err)
				break
			}
			p, err = launch(disk.Crash(rand.New(rand.NewPCG(uint64(after), 0))), settings)
			if err != nil {
				t.Fatal(fmt.Errorf("%v, power cut at change %d: %w", settings, after, err))
			}
			p.mustStop(t)
		}
	}
}
