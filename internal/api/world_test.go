package api

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/complaints"
	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

// world is a broker without logs and groups, over an image that a test makes and a controller that it plays.
type world struct {
	t      *testing.T
	broker *Broker
	conn   *Conn

	mu      sync.Mutex
	image   *meta.Image
	changed *sync.Cond

	// controller answers what is forwarded; nil refuses everything.
	controller func(request kmsg.Request) (kmsg.Response, error)
}

// newWorld has broker 1 with two listeners, broker 2 fenced, and broker 3 without the clients' listener.
func newWorld(t *testing.T, settings map[string]string) *world {
	t.Helper()
	w := &world{t: t, image: meta.Empty().Replay(
		&meta.FeatureLevelRecord{Name: meta.FeatureMetadataVersion, FeatureLevel: 33},
		brokerRecord(1, false, "PLAINTEXT", "INTERNAL"), brokerRecord(2, true, "PLAINTEXT"), brokerRecord(3, false, "INTERNAL"),
	)}
	w.changed = sync.NewCond(&w.mu)
	if settings == nil {
		settings = map[string]string{}
	}
	settings["node.id"] = "1"
	values, _, err := config.LoadBroker(config.FromMap("test", settings))
	if err != nil {
		t.Fatal(err)
	}
	w.broker = &Broker{
		NodeID: 1, ClusterID: "cluster", Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Now: time.Now,
		Image: w.now, AwaitImage: w.await, MetadataOffset: func() int64 { return 42 },
		Config: func() *config.Values { return values }, Controller: w, LogLevel: &slog.LevelVar{},
		CanListen: func(map[string]string) error { return nil },
	}
	w.broker.Complaints = complaints.New(w.broker.Logger)
	w.conn = &Conn{
		Listener: "PLAINTEXT", Principal: "User:ANONYMOUS", Rows: Table(),
		Peer:  &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 5},
		Local: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 9092},
	}
	t.Cleanup(w.broker.Close)
	return w
}

func brokerRecord(id int32, fenced bool, listeners ...string) *meta.RegisterBrokerRecord {
	record := &meta.RegisterBrokerRecord{BrokerID: id, BrokerEpoch: int64(id), Fenced: fenced, Features: []meta.SupportedFeature{
		{Name: "metadata.version", MinSupportedVersion: 7, MaxSupportedVersion: 33},
		{Name: "group.version", MinSupportedVersion: 0, MaxSupportedVersion: 1},
	}}
	for i, name := range listeners {
		record.EndPoints = append(record.EndPoints, meta.Endpoint{Name: name, Host: "registered", Port: uint16(9090 + i)})
	}
	return record
}

func (w *world) now() *meta.Image {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.image
}

func (w *world) replay(records ...meta.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.image = w.image.Replay(records...)
	w.changed.Broadcast()
}

func (w *world) await(ctx context.Context, wanted func(*meta.Image) bool) error {
	defer context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.changed.Broadcast()
	})()
	w.mu.Lock()
	defer w.mu.Unlock()
	for !wanted(w.image) {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.changed.Wait()
	}
	return nil
}

// Do plays the controller.
func (w *world) Do(_ context.Context, request kmsg.Request, _ string) (kmsg.Response, error) {
	if w.controller == nil {
		return nil, context.DeadlineExceeded
	}
	return w.controller(request)
}

func topicID(n byte) meta.ID { return meta.ID{0: 7, 15: n} }

// topic adds a topic whose partitions have replicas 1, 2 and the given leaders.
func (w *world) topic(name string, id byte, leaders ...int32) {
	records := []meta.Record{&meta.TopicRecord{Name: name, TopicID: topicID(id)}}
	for i, leader := range leaders {
		records = append(records, &meta.PartitionRecord{
			PartitionID: int32(i), TopicID: topicID(id), Replicas: []int32{1, 2}, ISR: []int32{1}, Leader: leader, LeaderEpoch: 5,
			EligibleLeaderReplicas: []int32{2},
		})
	}
	w.replay(records...)
}

// ask runs a request as the server would, waiting included.
func (w *world) ask(body kmsg.Request, version int16) kmsg.Response {
	w.t.Helper()
	body.SetVersion(version)
	for _, row := range Table() {
		if row.Key != body.Key() {
			continue
		}
		if version < row.Min || version > row.Max {
			w.t.Fatalf("version %d is not served", version)
		}
		result := row.Handle(w.broker, &Request{
			Conn: w.conn, Key: row.Key, Version: version, Body: body, Received: time.Now(), Ctx: w.t.Context(),
		})
		if p := result.Pending; p != nil {
			if p.Done != nil {
				<-p.Done
			}
			result = p.Finish()
		}
		if result.Response == nil {
			w.t.Fatalf("no response: %+v", result)
		}
		// Through the wire, as a client sees it.
		response := body.ResponseKind()
		if err := response.ReadFrom(result.Response.AppendTo(nil)); err != nil {
			w.t.Fatal(err)
		}
		return response
	}
	w.t.Fatalf("api key %d is not served", body.Key())
	return nil
}
