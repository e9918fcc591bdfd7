package logdir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// Defaults and limits of Options.
const (
	DefaultRecoveryThreads       = 2
	DefaultRetentionCheck        = 5 * time.Minute
	DefaultCheckpoint            = time.Minute
	DefaultHighWatermarks        = 5 * time.Second
	DefaultSyncEveryBytes        = 64 << 20
	DefaultSyncDelay             = 30 * time.Second
	DefaultFlushWorkers          = 8
	DefaultDiskCalls             = 64
	defaultReserve               = 1 << 30
	defaultReserveFraction       = 20 // of the disk: 5 %
	idleReserveFile        int64 = 8 << 20
)

var (
	// ErrDiskFull is what Writable and Create answer while less than the reserve is free.
	ErrDiskFull = fmt.Errorf("disk full: %w", kerr.KafkaStorageError)
	// ErrClosed is what a directory answers once Close has begun.
	ErrClosed = fmt.Errorf("data directory closed: %w", kerr.KafkaStorageError)
	// ErrInUse says that another process has the directory's lock.
	ErrInUse = errors.New("data directory in use")
	// ErrOtherOwner says that meta.properties names another node or cluster.
	ErrOtherOwner = errors.New("data directory belongs to another node or cluster")
)

// Options of a directory. FS, Path, Files and Settings are required.
type Options struct {
	FS        vfs.FS
	Path      string
	NodeID    int32  // node.id: refused if the directory says another
	ClusterID string // refused if the directory says another; empty: not known yet
	Files     *storage.Files
	// Settings of a topic, current at the time of the call. Must not call the directory.
	Settings func(topic string) *storage.Settings
	// SettingsKnown is closed once Settings knows every topic's configs. Recovery waits for it: by a broker's defaults a
	// compacted log would be cut at the first gap that compaction left. nil: they are known.
	SettingsKnown <-chan struct{}
	// HighWatermark of a partition for its checkpoint, negative if it has none to tell. nil: checkpoints keep what
	// they hold.
	HighWatermark func(topic string, partition int32) int64
	// Idle says that nobody has used a partition's log since it was last asked, nor waits for it. Rest has the owner call Dir.Rest
	// if that is so still. The directory calls both, holding no lock. nil: logs stay open.
	Idle func(topic string, partition int32) bool
	Rest func(topic string, partition int32)
	// BrokerEpoch for the clean-shutdown marker, by which the controller tells a clean restart. nil: none is written.
	BrokerEpoch func() int64
	// Failed is called once, on a goroutine of its own that ends with it, when the directory can no longer be trusted (an fsync failed).
	Failed func(error)
	Now    func() time.Time
	Logger *slog.Logger
	// BootID replaces the kernel's, for tests. NewID replaces random ids.
	BootID string
	NewID  func() [16]byte

	RecoveryThreads    int           // num.recovery.threads.per.data.dir
	RetentionCheck     time.Duration // log.retention.check.interval.ms
	CheckpointEvery    time.Duration // log.flush.offset.checkpoint.interval.ms
	HighWatermarkEvery time.Duration // replica.high.watermark.checkpoint.interval.ms
	RestAfter          time.Duration // how long a log stays open that nobody uses
	// A log that was given SyncEveryBytes is synced in the background SyncDelay later, so that recovery has less to read.
	// By then the system has written most of it by itself, and what was deleted soon is never written.
	SyncEveryBytes        int64
	SyncDelay             time.Duration
	FlushWorkers          int   // syncs at a time
	DiskCalls             int   // blocking calls to the disk at a time: each holds a thread
	ReserveBytes          int64 // kept free on the disk; 0: the smaller of 5 % and 1 GiB; negative: none
	Cleaner               CleanerOptions
	SkipRecoveryScan      bool // handed to storage: only a crash test sets it
	withoutHousekeeping   bool // tests: nothing happens by itself
	reserveFileBytes      int64
	syncAllAbove          int
	syncWhole             func() error // in place of the system's
	withoutReserveRelease bool
}

// PartitionRef names a log. TopicID is zero if its folder does not tell.
type PartitionRef struct {
	Topic     string
	Partition int32
	TopicID   [16]byte
}

// Dir is one data directory, locked from Open to Close. All methods may be called concurrently.
type Dir struct {
	o      Options
	disk   vfs.FS // o.FS within the limit of DiskCalls
	log    *slog.Logger
	lock   io.Closer
	whole  *wholeDisk      // nil where there is no such thing
	ctx    context.Context // ends when Close begins
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	start  startUp

	strays strays

	refreshing sync.Mutex // see refresh; guards nothing else

	mu       sync.RWMutex // guards the fields below
	identity Identity
	logs     map[key]*entry
	listed   int // of logs: those that are made
	byLog    map[*storage.Log]*entry
	stale    map[key]struct{} // gone, but still in a checkpoint on disk
	closed   bool

	bootMu      sync.Mutex // guards brokerEpoch, and the boot file, which is written under it
	brokerEpoch int64      // as Registered told; before, -1

	written     writtenCheckpoints
	flusher     *flusher
	keeper      *keeper
	cleaner     *cleaner
	reserve     *reserve
	failure     atomic.Pointer[error]
	recovered   chan struct{} // closed when every log was opened once after an unclean stop
	unrecovered atomic.Int64

	recoveryThreads atomic.Int64
}

// Start tells how the directory was left.
type Start struct {
	Clean       bool  // the last owner stopped in order
	BrokerEpoch int64 // under which its broker was registered, -1 if unknown
	SameBoot    bool  // the machine has not restarted since we last had the directory
}

// Open locks the directory, making it if needed, and learns which logs it holds. After a clean stop of ours no
// folder is touched. After any other stop the logs are recovered in the background; Get waits for its own
// log only. The directory must not be used by anything else until Close.
func Open(o Options) (*Dir, error) {
	d, err := newDir(o)
	if err != nil {
		return nil, err
	}
	if err := d.open(); err != nil {
		d.cancel()
		return nil, errors.Join(fmt.Errorf("data directory %s: %w", o.Path, err), d.unlock())
	}
	return d, nil
}

func newDir(o Options) (*Dir, error) {
	if o.FS == nil || o.Path == "" || o.Files == nil || o.Settings == nil {
		return nil, errors.New("logdir: FS, Path, Files and Settings are required")
	}
	o.setDefaults()
	d := &Dir{
		o: o, disk: limitFS(o.FS, o.DiskCalls), log: o.Logger.With("dir", o.Path),
		logs: map[key]*entry{}, byLog: map[*storage.Log]*entry{}, stale: map[key]struct{}{},
		recovered: make(chan struct{}), brokerEpoch: unknownBrokerEpoch,
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.recoveryThreads.Store(int64(o.RecoveryThreads))
	d.flusher = newFlusher(d)
	d.keeper = newKeeper(d)
	d.reserve = newReserve(d)
	d.cleaner = newCleaner(d)
	return d, nil
}

func (o *Options) setDefaults() {
	o.RecoveryThreads = orDefault(o.RecoveryThreads, DefaultRecoveryThreads)
	o.RetentionCheck = orDefault(o.RetentionCheck, DefaultRetentionCheck)
	o.CheckpointEvery = orDefault(o.CheckpointEvery, DefaultCheckpoint)
	o.HighWatermarkEvery = orDefault(o.HighWatermarkEvery, DefaultHighWatermarks)
	o.RestAfter = orDefault(o.RestAfter, DefaultRestAfter)
	o.SyncEveryBytes = orDefault(o.SyncEveryBytes, DefaultSyncEveryBytes)
	o.SyncDelay = orDefault(o.SyncDelay, DefaultSyncDelay)
	o.FlushWorkers = orDefault(o.FlushWorkers, DefaultFlushWorkers)
	o.DiskCalls = orDefault(o.DiskCalls, DefaultDiskCalls)
	o.reserveFileBytes = orDefault(o.reserveFileBytes, idleReserveFile)
	o.syncAllAbove = orDefault(o.syncAllAbove, defaultSyncAllAbove)
	o.Cleaner.setDefaults()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.NewID == nil {
		o.NewID = randomID
	}
	if o.Failed == nil {
		o.Failed = func(error) {}
	}
}

func orDefault[T int | int64 | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

// randomID draws an id that is none of Kafka's reserved ones and whose text does not begin with a dash, which command
// lines would take for an option.
func randomID() (id [16]byte) {
	for reservedUUID(id) || formatUUID(id)[0] == '-' {
		_, _ = rand.Read(id[:]) // never fails
	}
	return id
}

// Path is where the directory is.
func (d *Dir) Path() string { return d.o.Path }

// Start tells how the directory was left before Open.
func (d *Dir) Start() Start { return d.start.Start }

// Recovered is closed when no log waits for its recovery any more, whether it went well or not.
func (d *Dir) Recovered() <-chan struct{} { return d.recovered }

// Len is the number of logs, offline ones included.
func (d *Dir) Len() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.listed
}

// Partitions lists the logs, offline ones included, sorted by topic and partition.
func (d *Dir) Partitions() iter.Seq[PartitionRef] {
	refs := d.refs()
	return slices.Values(refs)
}

func (d *Dir) refs() []PartitionRef {
	d.mu.RLock()
	refs := make([]PartitionRef, 0, len(d.logs))
	for k, e := range d.logs {
		if e.listed {
			refs = append(refs, PartitionRef{k.topic, k.partition, e.topicID})
		}
	}
	d.mu.RUnlock()
	slices.SortFunc(refs, func(a, b PartitionRef) int {
		return compareKeys(key{a.Topic, a.Partition}, key{b.Topic, b.Partition})
	})
	return refs
}

// Get returns the log of a partition, opening (and, after an unclean stop, recovering) it first. From then on its retention
// is looked after: call it when the topic's settings are known. The error wraps
// kerr.UnknownTopicOrPartition if there is none here, and kerr.KafkaStorageError if the log is offline.
func (d *Dir) Get(topic string, partition int32) (*storage.Log, error) {
	k := key{topic, partition}
	d.mu.RLock()
	e, closed := d.logs[k], d.closed
	d.mu.RUnlock()
	switch {
	case closed:
		return nil, ErrClosed
	case e == nil:
		return nil, fmt.Errorf("%s: no log in %s: %w", k, d.o.Path, kerr.UnknownTopicOrPartition)
	}
	d.claim(e)
	if l := e.opened.Load(); l != nil {
		return l, nil
	}
	return d.openEntry(e)
}

// claim notes that the owner has asked for a log. Retention and compaction leave it alone before: at the start its topic's
// settings may not be known yet (defaults would delete what a topic keeps for ever), and a log that nobody asks for
// belongs to nobody.
func (d *Dir) claim(e *entry) {
	if e.claimed.Load() || !e.claimed.CompareAndSwap(false, true) {
		return
	}
	d.refresh(e)
	d.keeper.claimed(e)
	d.cleaner.dirtied(e)
}

// refresh gives an open log its topic's settings as they are now. Whoever opens a log calls it after others can see the log,
// and whoever has new settings after they are there, so that a change amid a long recovery is not missed; one at
// a time, so that an older answer does not come last.
func (d *Dir) refresh(e *entry) {
	d.refreshing.Lock()
	defer d.refreshing.Unlock()
	if l := e.opened.Load(); l != nil {
		l.SetSettings(d.o.Settings(e.topic))
	}
}

// CheckpointedHighWatermark is what the directory last knew of a partition's high watermark, 0 if nothing.
func (d *Dir) CheckpointedHighWatermark(topic string, partition int32) int64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if e := d.logs[key{topic, partition}]; e != nil {
		return e.highWatermark.Load()
	}
	return 0
}

// SettingsChanged tells that Options.Settings has other answers for a topic: its open logs get them, and retention and
// cleaning look at them soon.
func (d *Dir) SettingsChanged(topic string) {
	for _, e := range d.entries(func(e *entry) bool { return e.topic == topic && e.claimed.Load() }) {
		d.refresh(e)
		d.keeper.dirtied(e)
		d.keeper.retainAt(e, d.o.Now())
	}
}

func (d *Dir) isClosed() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.closed
}

// entries lists the logs that a filter takes.
func (d *Dir) entries(take func(*entry) bool) []*entry {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var found []*entry
	for _, e := range d.logs {
		if e.listed && take(e) {
			found = append(found, e)
		}
	}
	return found
}

// fail ends the use of the directory: what an fsync dropped is unknown, so nothing here may be called durable again
// before a restart has read it back from the disk.
func (d *Dir) fail(err error) {
	err = fmt.Errorf("data directory %s failed: %w: %w", d.o.Path, err, kerr.KafkaStorageError)
	if !d.failure.CompareAndSwap(nil, &err) {
		return
	}
	d.log.Error("the data directory is offline until the next start", "error", err)
	d.forgetBoot()
	go d.o.Failed(err) // not waited for: it may well close us
}

func (d *Dir) failed() error {
	if err := d.failure.Load(); err != nil {
		return *err
	}
	return nil
}
