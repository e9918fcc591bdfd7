package metalog_test

import (
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/barnabas-mq/barnabas/internal/machine"
	"github.com/barnabas-mq/barnabas/internal/metalog"
	"github.com/barnabas-mq/barnabas/internal/quorum"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a state: the records that made it. A real one is an image.
type world struct{ records []string }

func (w world) with(record string) world {
	return world{append(w.records[:len(w.records):len(w.records)], record)}
}

func (w world) payloads() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, r := range w.records {
			if !yield([]byte(r)) {
				return
			}
		}
	}
}

// controller is a node as the real one is put together: quorum, metadata log, and a machine that decides.
type controller struct {
	log    *metalog.Log
	quorum *quorum.Node

	mu      sync.Mutex
	changed sync.Cond
	world   world // of what is committed
	term    uint64
	machine *machine.Runtime[world, string]
	failed  error
}

type settings struct {
	fs            vfs.FS
	dir           string
	segmentBytes  int64
	retention     int64
	snapshotBytes int64
}

func (s settings) metadataDir() string { return filepath.Join(s.dir, "__cluster_metadata-0") }

func (s settings) raftDir() string { return filepath.Join(s.metadataDir(), "raft") }

// open starts a controller, and waits until it leads.
func open(s settings) (*controller, error) {
	c := &controller{}
	c.changed.L = &c.mu
	silent := slog.New(slog.DiscardHandler)
	var err error
	c.log, err = metalog.Open(metalog.Options{
		FS: s.fs, Dir: s.metadataDir(), NodeID: 1, Logger: silent, SegmentBytes: s.segmentBytes, RetentionBytes: s.retention,
	})
	if err != nil {
		return nil, err
	}
	c.quorum, err = quorum.Open(quorum.Options{
		FS: s.fs, Dir: s.raftDir(), DirectoryID: [16]byte{7}, Logger: silent, SnapshotBytes: s.snapshotBytes,
		Bootstrap: func() (quorum.Bootstrap, error) {
			term, data, err := c.log.Adopt()
			return quorum.Bootstrap{Term: term, Data: data}, err
		},
		Superseded: c.log.Superseded,
		Restore:    c.restore, Apply: c.apply, Snapshot: c.snapshot, Leadership: c.leadership,
		Kept: func(s quorum.Snapshot) {
			if err := c.log.Trim(s.Data); err != nil {
				c.fail(err)
			}
		},
		Failed: func(err error) { c.fail(err) },
	})
	if err != nil {
		return nil, fmt.Errorf("%w (and close: %v)", err, c.log.Close())
	}
	c.quorum.Start()
	if err := c.await(func() bool { return c.machine != nil }); err != nil {
		return nil, fmt.Errorf("%w (and close: %v)", err, c.close())
	}
	return c, nil
}

func (c *controller) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = err
	c.changed.Broadcast()
}

func (c *controller) await(condition func() bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !condition() && c.failed == nil {
		c.changed.Wait()
	}
	return c.failed
}

func (c *controller) restore(s quorum.Snapshot) error {
	if err := c.log.Restore(s.Data); err != nil {
		return err
	}
	for b, err := range c.log.State() {
		if err != nil {
			return err
		}
		c.take(b)
	}
	return nil
}

func (c *controller) take(b metalog.Batch) {
	for _, r := range b.Records {
		c.world = c.world.with(string(r))
	}
}

func (c *controller) apply(e quorum.Entry) error {
	b, err := c.log.Apply(e.Term, e.Payload)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.take(b)
	if c.machine != nil {
		c.machine.Advance(b.End.Offset)
	}
	c.changed.Broadcast()
	return nil
}

func (c *controller) snapshot(uint64, uint64) func() ([]byte, error) {
	c.mu.Lock()
	w := c.world
	c.mu.Unlock()
	build, err := c.log.Checkpoint(w.payloads())
	if err != nil {
		c.fail(err)
		return nil
	}
	return build
}

func (c *controller) leadership(leads bool, term uint64) {
	if !leads {
		c.machine.Close(quorum.ErrNotLeader)
		return
	}
	encode := func(r string) ([]byte, error) { return []byte(r), nil }
	propose := func(payload []byte) error { return c.quorum.Propose(term, payload) }
	writer, err := metalog.Lead(c.log, term, encode, propose)
	if err != nil {
		c.fail(err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.term = term
	c.machine = machine.New(machine.Options[world, string]{
		Name: "controller", State: c.world, Replay: world.with, Log: writer, Logger: slog.New(slog.DiscardHandler),
	})
	c.changed.Broadcast()
}

// record submits an event that records something, and waits for its reply.
func (c *controller) record(records ...string) error {
	reply := make(chan error, 1)
	err := c.machine.Submit(func(w world, _ time.Time) machine.Decision[world, string] {
		return machine.Decision[world, string]{State: w, Records: records, Replies: []func(error){func(err error) { reply <- err }}}
	})
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- c.await(func() bool { return len(reply) > 0 }) }()
	defer func() { c.mu.Lock(); c.changed.Broadcast(); c.mu.Unlock() }()
	select {
	case err := <-reply:
		reply <- err // for the goroutine to see
		return err
	case err := <-failed:
		return err
	}
}

func (c *controller) records() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.world.records)
}

func (c *controller) close() error {
	err := c.quorum.Close()
	if c.machine != nil {
		c.machine.Close(nil)
	}
	if closed := c.log.Close(); err == nil {
		err = closed
	}
	return err
}

func mustOpen(t *testing.T, s settings) *controller {
	t.Helper()
	c, err := open(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustRecord(t *testing.T, c *controller, records ...string) {
	t.Helper()
	if err := c.record(records...); err != nil {
		t.Fatal(err)
	}
}

func mustClose(t *testing.T, c *controller) {
	t.Helper()
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
}

func wantRecords(t *testing.T, c *controller, want ...string) {
	t.Helper()
	if got := c.records(); !slices.Equal(got, want) {
		t.Errorf("state is %q, want %q", got, want)
	}
}
