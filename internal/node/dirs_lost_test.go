package node_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func twoDirs() map[string]string { return map[string]string{"log.dirs": "/a,/b"} }

// awaitAssigned waits until the controller knows in which directory each replica of a topic lies.
func (p *process) awaitAssigned(t *testing.T, topic string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	must(t, p.node.AwaitImage(ctx, func(image *meta.Image) bool {
		known, ok := image.Topic(topic)
		return ok && !slices.ContainsFunc(known.Partitions, func(p *meta.Partition) bool {
			return slices.Contains(p.Directories, meta.DirectoryUnassigned)
		})
	}))
}

// fill makes a topic of four partitions, two in each of two directories, with a record in each.
func fill(t *testing.T, c *client, topic string) {
	t.Helper()
	_, err := c.createTopic(topic, 4, nil)
	must(t, err)
	for i := range int32(4) {
		_, err := c.produce(topic, i, records(fmt.Sprint("p", i)))
		must(t, err)
	}
}

// partitionsIn are the partitions of a topic that lie in a data directory.
func partitionsIn(t *testing.T, disk vfs.FS, dir, topic string) (indexes []int32) {
	t.Helper()
	for i := range int32(100) {
		if slices.Contains(foldersOf(t, disk, dir), fmt.Sprintf("%s-%d", topic, i)) {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// All hundred went into one directory: each was placed by what lay there before any of them was made.
func TestTheReplicasOfOneTopicAreSpreadOverTheDataDirectories(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, twoDirs())
	_, err := p.client.createTopic("wide", 100, nil)
	must(t, err)
	a, b := partitionsIn(t, disk, "/a", "wide"), partitionsIn(t, disk, "/b", "wide")
	if len(a) != 50 || len(b) != 50 {
		t.Errorf("%d in /a and %d in /b", len(a), len(b))
	}
	p.awaitAssigned(t, "wide")
	p.mustStop(t)
}

// An empty log took its place, led, and acknowledged what was gone when the disk was back.
func TestALogWhoseDiskIsNotMountedIsNotReplacedByAnEmptyOne(t *testing.T) {
	for name, reported := range map[string]bool{"known to the controller": true, "not known to the controller yet": false} {
		t.Run(name, func(t *testing.T) {
			disk := vfs.NewMem()
			p := mustLaunch(t, disk, twoDirs())
			fill(t, p.client, "t")
			if reported {
				p.awaitAssigned(t, "t")
			}
			p.mustStop(t)
			lost := partitionsIn(t, disk, "/b", "t")
			if len(lost) != 2 {
				t.Fatalf("%d partitions are in /b", len(lost))
			}
			must(t, disk.Rename("/b", "/unmounted"))
			for range 2 { // also when the registration knows nothing of the old directory any more
				p = mustLaunch(t, disk, twoDirs())
				for i := range int32(4) {
					_, err := p.client.produce("t", i, records("more"))
					if (err != nil) != slices.Contains(lost, i) {
						t.Errorf("partition %d takes a record: %v", i, err)
					}
				}
				if n := strings.Count(p.journal.String(), "partition is offline: its data directory is not here"); n != len(lost) {
					t.Errorf("%d partitions are said to be offline", n)
				}
				if got := partitionsIn(t, disk, "/b", "t"); len(got) > 0 {
					t.Errorf("logs were made anew: %v", got)
				}
				_, err := p.client.createTopic("other", 2, nil)
				if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
					t.Error(err)
				}
				p.mustStop(t)
			}
			must(t, disk.RemoveAll("/b"))
			must(t, disk.Rename("/unmounted", "/b"))
			p = mustLaunch(t, disk, twoDirs())
			for _, i := range lost {
				must(t, p.client.whenLed(func() error { _, err := p.client.produce("t", i, records("again")); return err }))
				if got, want := valuesOf(t, p.client, "t", i), fmt.Sprintf("0=p%d 1=again", i); got != want {
					t.Errorf("partition %d holds %q, want %q", i, got, want)
				}
			}
			p.mustStop(t)
		})
	}
}

func TestALogThatWasMovedToAnotherDataDirectoryIsFoundThere(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, twoDirs())
	fill(t, p.client, "t")
	p.awaitAssigned(t, "t")
	p.mustStop(t)
	for _, i := range partitionsIn(t, disk, "/b", "t") {
		folder := fmt.Sprintf("/t-%d", i)
		must(t, disk.Rename("/b"+folder, "/a"+folder))
	}
	for _, settings := range []map[string]string{twoDirs(), {"log.dirs": "/a"}} {
		p = mustLaunch(t, disk, settings)
		for i := range int32(4) {
			if got, want := valuesOf(t, p.client, "t", i), fmt.Sprintf("0=p%d", i); got != want {
				t.Errorf("partition %d holds %q, want %q", i, got, want)
			}
		}
		p.mustStop(t)
	}
}

func TestALogThatIsInTwoDataDirectoriesIsTheOneThatTheControllerKnows(t *testing.T) {
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, twoDirs())
	fill(t, p.client, "t")
	p.awaitAssigned(t, "t")
	p.mustStop(t)
	i := partitionsIn(t, disk, "/b", "t")[0]
	folder := fmt.Sprintf("/t-%d", i)
	must(t, disk.MkdirAll("/a"+folder, 0o755))
	for _, file := range []string{"/partition.metadata"} {
		b, err := vfs.ReadFile(disk, "/b"+folder+file)
		must(t, err)
		must(t, vfs.WriteFileAtomic(disk, "/a"+folder+file, b, true))
	}
	p = mustLaunch(t, disk, twoDirs())
	if got, want := valuesOf(t, p.client, "t", i), fmt.Sprintf("0=p%d", i); got != want {
		t.Errorf("partition %d holds %q, want %q", i, got, want)
	}
	if got := foldersOf(t, disk, "/a"); !slices.ContainsFunc(got, func(name string) bool { return strings.HasSuffix(name, "-stray") }) {
		t.Errorf("the other one is not set aside: %q", got)
	}
	p.mustStop(t)
}

// Whoever started once with the wrong metadata had all logs renamed, and then got empty ones in their place.
func TestALogThatWasSetAsideIsTakenBackWhenItsTopicIsKnownAgain(t *testing.T) {
	const stray = "/data/orders-1.0123456789abcdef0123456789abcdef-stray"
	disk := vfs.NewMem()
	p := mustLaunch(t, disk, nil)
	id := furnish(t, p.client)
	p.mustStop(t)
	must(t, disk.Rename("/data/orders-1", stray))
	for life := range 2 {
		p = mustLaunch(t, disk, nil)
		expectFurniture(t, p.client, id)
		if said := strings.Contains(p.journal.String(), "taken back"); said != (life == 0) {
			t.Errorf("life %d: it is said that a log is taken back: %v", life, said)
		}
		p.mustStop(t)
	}

	must(t, disk.Rename("/data/orders-1", stray))
	must(t, disk.MkdirAll("/data/orders-1.00-stray", 0o755))
	b, err := vfs.ReadFile(disk, stray+"/partition.metadata")
	must(t, err)
	must(t, vfs.WriteFileAtomic(disk, "/data/orders-1.00-stray/partition.metadata", b, true))
	p = mustLaunch(t, disk, nil)
	if _, err := p.client.produce("orders", 1, records("lost")); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("of two that were set aside none can be chosen, but: %v", err)
	}
	if !strings.Contains(p.journal.String(), "rename the right one to orders-1") {
		t.Error("nobody is told what to do")
	}
	p.mustStop(t)
}
