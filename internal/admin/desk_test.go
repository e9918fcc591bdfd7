package admin

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/barnabas-mq/barnabas/internal/api"
	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/coordinator"
	"github.com/barnabas-mq/barnabas/internal/group"
	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/replica"
	"github.com/barnabas-mq/barnabas/internal/server"
	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is the admin pages of a broker that serves clients, with its logs on a disk in memory.
type desk struct {
	t        *testing.T
	disk     *vfs.Mem
	opened   atomic.Int32 // logs, and perhaps some more than once
	image    atomic.Pointer[meta.Image]
	replicas *replica.Manager
	groups   *coordinator.Coordinator
	requests *Requests
	broker   *server.Server
	notReady atomic.Pointer[error]
	pages    *Server
}

// openDesk has a broker without topics.
func openDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, disk: vfs.NewMem(), requests: NewRequests("1.2.3")}
	d.image.Store(meta.Empty().Replay(&meta.FeatureLevelRecord{Name: meta.FeatureMetadataVersion, FeatureLevel: 33}))
	d.openReplicas()
	d.openGroups()
	d.openBroker()
	pages, err := Start(Options{
		Address: "127.0.0.1:0", Requests: d.requests, Broker: Broker{Replicas: d.replicas, Groups: d.groups},
		Logger: slog.New(slog.DiscardHandler), Ready: d.ready,
	})
	if err != nil {
		t.Fatal(err)
	}
	d.pages = pages
	t.Cleanup(func() {
		if err := d.pages.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *desk) openReplicas() {
	settings := &replica.Settings{
		Storage: &storage.Settings{
			SegmentBytes: 1 << 20, SegmentMs: math.MaxInt64, SegmentIndexBytes: 1 << 16, IndexIntervalBytes: 4096,
			RetentionMs: -1, RetentionBytes: -1, Delete: true, FlushMessages: math.MaxInt64, FlushMs: math.MaxInt64,
			FileDeleteDelayMs: 60_000, ProducerExpirationMs: math.MaxInt64, MaxMessageBytes: 1 << 20,
		},
		Check:     batch.CheckOptions{Codec: batch.CodecProducer, BeforeMaxMs: math.MaxInt64, AfterMaxMs: math.MaxInt64, MaxBatchBytes: 1 << 20},
		MinInSync: 1,
	}
	logger := slog.New(slog.DiscardHandler)
	dir, err := logdir.Open(logdir.Options{
		FS: d.disk, Path: "/data", NodeID: 1, Files: storage.NewFiles(100), Logger: logger, BootID: "boot",
		Cleaner: logdir.CleanerOptions{Disabled: true},
		Settings: func(string) *storage.Settings {
			d.opened.Add(1) // Nothing but an open log needs them.
			return settings.Storage
		},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.replicas = replica.New(replica.Options{
		NodeID: 1, Dirs: []*logdir.Dir{dir}, Logger: logger, Now: time.Now,
		Settings: func(*meta.Image, string) *replica.Settings { return settings },
	})
	d.t.Cleanup(func() {
		d.replicas.Close()
		_ = dir.Close(context.Background()) // A test may end with a disk that fails.
		d.replicas.Wait()
	})
}

func (d *desk) openGroups() {
	config := group.DefaultConfig()
	config.InitialRebalanceDelayMs = 0
	d.groups = coordinator.New(coordinator.Options{
		Config: config, Partitions: func() int32 { return 1 }, NewID: func() string { return "id" }, Logger: slog.New(slog.DiscardHandler),
	})
	d.t.Cleanup(d.groups.Close)
}

func (d *desk) openBroker() {
	logger := slog.New(slog.DiscardHandler)
	d.broker = server.New(server.Options{
		Listeners: []server.Listener{{Name: "PLAINTEXT", Address: "127.0.0.1:0"}}, Rows: api.Table(), Observer: d.requests, Logger: logger,
		Limits: server.Limits{RequestMaxBytes: 1 << 20, MaxConnections: 100, MaxConnectionsPerIP: 100, MaxIdle: time.Hour},
		Broker: &api.Broker{
			NodeID: 1, Logger: logger, Now: time.Now, Image: d.image.Load, MetadataOffset: func() int64 { return 0 },
			Replicas: d.replicas, FetchMaxBytes: 50 << 20, FetchSessions: api.NewFetchSessions(10), Groups: d.groups,
		},
	})
	if err := d.broker.Listen(); err != nil {
		d.t.Fatal(err)
	}
	d.broker.Serve()
	d.t.Cleanup(func() {
		if err := d.broker.Shutdown(context.Background()); err != nil {
			d.t.Error(err)
		}
	})
}

func (d *desk) ready() error {
	if err := d.notReady.Load(); err != nil {
		return *err
	}
	return nil
}

// topic makes a topic whose partitions this broker leads; number tells its id.
func (d *desk) topic(name string, number uint16, partitions int) {
	d.apply(topicRecords(name, number, 1, partitions)...)
}

func (d *desk) apply(records ...meta.Record) {
	before := d.image.Load()
	d.image.Store(before.Replay(records...))
	d.replicas.Apply(d.image.Load(), meta.Diff(before, d.image.Load()))
}

// topicRecords make a topic whose partitions a broker leads.
func topicRecords(name string, number uint16, broker int32, partitions int) []meta.Record {
	id := meta.ID{0: 7, 14: byte(number >> 8), 15: byte(number)}
	records := []meta.Record{&meta.TopicRecord{Name: name, TopicID: id}}
	for i := range partitions {
		records = append(records, &meta.PartitionRecord{
			PartitionID: int32(i), TopicID: id, Replicas: []int32{broker}, ISR: []int32{broker}, Leader: broker, Directories: []meta.ID{{}},
		})
	}
	return records
}

// coordinate makes this broker the coordinator of all groups.
func (d *desk) coordinate() {
	d.t.Helper()
	d.topic(coordinator.Topic, math.MaxUint16, 1)
	partition, err := d.replicas.Get(coordinator.Topic, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	log, err := partition.Coordinated()
	if err != nil {
		d.t.Fatal(err)
	}
	d.groups.Lead(0, log.Epoch(), log)
}

// page is an answer of the admin pages, read whole.
type page struct {
	status int
	header http.Header
	text   string
}

func (d *desk) get(path string) page { return d.ask(http.MethodGet, path, nil) }

func (d *desk) ask(method, path string, header http.Header) page {
	d.t.Helper()
	p, err := request(d.pages.Address(), method, path, header)
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

// request asks on a connection of its own, as a kept one would outlive the test.
func request(address, method, path string, header http.Header) (page, error) {
	asked, err := http.NewRequest(method, "http://"+address+path, nil)
	if err != nil {
		return page{}, err
	}
	if header != nil {
		asked.Header = header
	}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	answered, err := transport.RoundTrip(asked)
	if err != nil {
		return page{}, err
	}
	text, err := io.ReadAll(answered.Body)
	return page{answered.StatusCode, answered.Header, string(text)}, cmp.Or(err, answered.Body.Close())
}

var errStarting = errors.New("still starting")
