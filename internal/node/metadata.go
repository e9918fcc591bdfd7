package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/metalog"
	"github.com/barnabas-mq/barnabas/internal/quorum"
)

const raftFolder = "raft" // inside of the metadata folder, where Kafka does not look

// metadata is this node's part in the quorum: Raft, the metadata log that is derived from it, and the image that the
// committed records make.
type metadata struct {
	node *Node
	path string // the folder __cluster_metadata-0
	log  *metalog.Log
	raft *quorum.Node
	// more is given with everything that is applied.
	more signal
	// joined is raft once it takes part, for whoever is not the node's start.
	joined atomic.Pointer[quorum.Node]

	// image is what is committed. The applier's goroutine alone changes it; mu guards it for the controller's start.
	mu    sync.Mutex
	image *meta.Image
}

// openMetadata opens the quorum's log and replays it. A directory that Apache Kafka left is adopted: what its metadata
// log holds becomes the first snapshot.
func (n *Node) openMetadata(context.Context) error {
	v := n.live.values()
	if err := n.makeMetadataDir(); err != nil {
		return fmt.Errorf("metadata directory %s: %w", n.metadataDir, err)
	}
	path := logdir.MetadataFolder(n.metadataDir)
	m := &metadata{node: n, path: path, image: meta.Empty()}
	n.metadata = m
	n.controller = &activeController{node: n}
	n.publisher = newPublisher(n.act)
	log, err := metalog.Open(metalog.Options{
		FS: n.options.FS, Dir: path, NodeID: n.nodeID, Logger: n.logger, Now: time.Now,
		SegmentBytes:   int64(config.MetadataLogSegmentBytes.Of(v)),
		RetentionBytes: config.MetadataMaxRetentionBytes.Of(v),
		Retention:      config.Millis(config.MetadataMaxRetentionMs, v),
	})
	if err != nil {
		return err
	}
	m.log = log
	return nil
}

// makeMetadataDir makes the metadata directory if it is not there, durably: what is synced inside of it must not go with it.
func (n *Node) makeMetadataDir() error {
	if _, err := n.options.FS.Stat(n.metadataDir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := n.options.FS.MkdirAll(n.metadataDir, 0o755); err != nil {
		return err
	}
	return n.options.FS.SyncDir(filepath.Dir(filepath.Clean(n.metadataDir)))
}

// startMetadata begins to take what is committed: as a member of the quorum, or, without the role of a controller, from those who
// are. The broker is built before, as committed records reach it from here on.
func (n *Node) startMetadata(context.Context) error {
	if !n.isController() {
		return n.startObserver()
	}
	return n.startQuorum()
}

// startQuorum starts Raft.
func (n *Node) startQuorum() error {
	v, m := n.live.values(), n.metadata
	raft, err := quorum.Open(quorum.Options{
		FS: n.options.FS, Dir: filepath.Join(m.path, raftFolder),
		DirectoryID:      n.metadataOwner().Identity().DirectoryID,
		ElectionTimeout:  n.electionTimeout(),
		Transport:        n.ensemble,
		Logger:           n.logger,
		Bootstrap:        n.ensemble.bootstrap,
		Superseded:       m.log.Superseded,
		Members:          n.ensemble.changed,
		Restore:          m.restore,
		Apply:            m.apply,
		Snapshot:         m.snapshot,
		Kept:             m.trim,
		Leadership:       m.leadership,
		Failed:           n.fail,
		SnapshotBytes:    config.MetadataLogMaxRecordBytesBetweenSnapshots.Of(v),
		SnapshotInterval: config.Millis(config.MetadataLogMaxSnapshotIntervalMs, v),
	})
	if err != nil {
		return fmt.Errorf("metadata quorum: %w", err)
	}
	m.raft = raft
	n.ensemble.begun(raft.Status().Members)
	raft.Start()
	m.joined.Store(raft)
	n.ensemble.start()
	return nil
}

// member is this node's part in the quorum, nil before it takes part.
func (m *metadata) member() *quorum.Node { return m.joined.Load() }

// electionTimeout is how long a member of the quorum waits for its leader.
func (n *Node) electionTimeout() time.Duration {
	return config.Millis(config.ControllerQuorumElectionTimeoutMs, n.live.values())
}

// metadataOwner is the data directory whose id the Raft member goes by: the one that its log is in, wherever that stands in
// log.dirs. A metadata directory outside of them has no id of its own.
func (n *Node) metadataOwner() *logdir.Dir {
	for _, dir := range n.dirs {
		if filepath.Clean(dir.Path()) == filepath.Clean(n.metadataDir) {
			return dir
		}
	}
	return n.dirs[0]
}

// restore sets the image to a snapshot.
func (m *metadata) restore(s quorum.Snapshot) error {
	if err := m.log.Restore(s.Data); err != nil {
		return err
	}
	edit := meta.Empty().Edit()
	for b, err := range m.log.State() {
		if err != nil {
			return err
		}
		records, err := decodeAll(b)
		if err != nil {
			return err
		}
		if err := replayAll(edit, records, b.End.Offset); err != nil {
			return err
		}
	}
	image := edit.Image()
	m.set(image)
	m.node.publisher.receive(image, edit.Delta(image), m.log.Position().Offset)
	return nil
}

func replayAll(edit *meta.Edit, records []meta.Record, end int64) error {
	for _, r := range records {
		if err := edit.Replay(r); err != nil {
			return fmt.Errorf("metadata before offset %d: %w", end, err)
		}
	}
	return nil
}

func decodeAll(b metalog.Batch) ([]meta.Record, error) {
	records := make([]meta.Record, len(b.Records))
	for i, payload := range b.Records {
		r, err := meta.Decode(payload)
		if err != nil {
			return nil, fmt.Errorf("metadata before offset %d: record %d of its batch: %w", b.End.Offset, i, err)
		}
		records[i] = r
	}
	return records, nil
}

// apply takes a committed entry.
func (m *metadata) apply(e quorum.Entry) error {
	b, err := m.log.Apply(e.Term, e.Payload)
	if err != nil {
		return err
	}
	records, err := decodeAll(b)
	if err != nil {
		return err
	}
	if len(records) > 0 {
		edit := m.current().Edit()
		if err := replayAll(edit, records, b.End.Offset); err != nil {
			return err
		}
		image := m.node.controller.own.take(b.End.Offset)
		if image == nil {
			image = edit.Image()
		}
		m.set(image)
		m.node.publisher.receive(image, edit.Delta(image), b.End.Offset)
	}
	m.node.controller.committed(b.End.Offset)
	m.more.give()
	return nil
}

// awaitApplied waits until the record at an offset is applied.
func (m *metadata) awaitApplied(ctx context.Context, offset int64) error {
	for m.log.Position().Offset <= offset {
		if err := pause(ctx, retryAfter); err != nil {
			return err
		}
	}
	return nil
}

func (m *metadata) current() *meta.Image {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.image
}

func (m *metadata) set(image *meta.Image) {
	m.mu.Lock()
	m.image = image
	m.mu.Unlock()
}

// snapshot writes a checkpoint of the image, so that Raft's log can be cut.
func (m *metadata) snapshot(uint64, uint64) func() ([]byte, error) {
	image := m.current()
	if image.InTransaction() {
		return nil // a checkpoint has no place for half a transaction
	}
	write, err := m.log.Checkpoint(func(yield func([]byte) bool) {
		for r := range image.Snapshot() {
			payload, err := meta.Encode(nil, r, image.MetadataVersion())
			if err != nil {
				panic(fmt.Sprintf("node: snapshot of a replayed record: %v", err))
			}
			if !yield(payload) {
				return
			}
		}
	})
	if err != nil {
		m.node.logger.Error("metadata snapshot could not be begun", "error", err)
		return nil
	}
	return write
}

// trim removes what only earlier snapshots needed.
func (m *metadata) trim(s quorum.Snapshot) {
	m.node.thrift.soon() // the log that it cuts was in memory, and so was the writing of it
	if err := m.log.Trim(s.Data); err != nil {
		m.node.logger.Error("old metadata could not be removed", "error", err)
	}
}

func (m *metadata) leadership(leads bool, term uint64) {
	if !leads {
		m.node.controller.resign()
		return
	}
	m.node.publisher.release()
	if err := m.node.controller.lead(term); err != nil {
		m.node.fail(fmt.Errorf("controller: %w", err))
	}
}

// handOver has another controller lead the quorum before this one stops, so that nobody has to find out that it is gone.
func (m *metadata) handOver() {
	if raft := m.member(); raft != nil && !m.node.ensemble.alone() {
		raft.HandOver(m.node.electionTimeout())
	}
}

func (m *metadata) close() error {
	var err error
	if m.raft != nil {
		err = m.raft.Close()
	}
	if m.log != nil {
		if closeErr := m.log.Close(); err == nil {
			err = closeErr
		}
	}
	return err
}
