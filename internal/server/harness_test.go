package server

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/barnabas-mq/barnabas/internal/api"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logBook is a logger's output that a test can read while others write.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

// house is a server under test.
type house struct {
	t      *testing.T
	server *Server
	log    *logBook
}

// open starts a server on a free port with these rows and ApiVersions.
func open(t *testing.T, limits Limits, rows ...api.Row) *house {
	t.Helper()
	h := prepare(t, limits, rows...)
	if err := h.server.Listen(); err != nil {
		t.Fatal(err)
	}
	h.server.Serve()
	t.Cleanup(h.stop)
	return h
}

func prepare(t *testing.T, limits Limits, rows ...api.Row) *house {
	log := &logBook{}
	logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	rows = append(rows, api.Table()[indexOf(apiVersionsKey)])
	return &house{t: t, log: log, server: New(Options{
		Listeners: []Listener{{Name: "PLAINTEXT", Address: "127.0.0.1:0"}},
		Rows:      rows,
		Broker:    &api.Broker{Logger: logger, Image: meta.Empty, MetadataOffset: func() int64 { return 0 }},
		Limits:    ample(limits),
		Logger:    logger,
	})}
}

// ample sets the limits that a test is not about to Kafka's defaults.
func ample(l Limits) Limits {
	l.RequestMaxBytes = cmp.Or(l.RequestMaxBytes, 100<<20)
	l.MaxConnections = cmp.Or(l.MaxConnections, math.MaxInt32)
	l.MaxConnectionsPerIP = cmp.Or(l.MaxConnectionsPerIP, math.MaxInt32)
	l.MaxIdle = cmp.Or(l.MaxIdle, 10*time.Minute)
	return l
}

func indexOf(key int16) int {
	for i, row := range api.Table() {
		if row.Key == key {
			return i
		}
	}
	return -1
}

func (h *house) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.server.Shutdown(ctx); err != nil {
		h.t.Errorf("shutdown: %v", err)
	}
}

// client is a connection of the simplest kind.
type client struct {
	t      *testing.T
	socket net.Conn
	reader *bufio.Reader
	format *kmsg.RequestFormatter
	next   int32
}

func (h *house) dial() *client {
	h.t.Helper()
	socket, err := net.Dial("tcp", h.server.Addresses()[0].String())
	if err != nil {
		h.t.Fatal(err)
	}
	return newClient(h.t, socket)
}

func newClient(t *testing.T, socket net.Conn) *client {
	t.Cleanup(func() { _ = socket.Close() })
	_ = socket.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{
		t: t, socket: socket, reader: bufio.NewReader(socket),
		format: kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")),
	}
}

// bytesOf frames requests, numbering them on.
func (c *client) bytesOf(requests ...kmsg.Request) []byte {
	var all []byte
	for _, r := range requests {
		c.next++
		all = append(all, c.format.AppendRequest(nil, r, c.next)...)
	}
	return all
}

func (c *client) send(requests ...kmsg.Request) { c.sendBytes(c.bytesOf(requests...)) }

func (c *client) sendBytes(p []byte) {
	c.t.Helper()
	if _, err := c.socket.Write(p); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads one answer and returns its correlation id and what follows it.
func (c *client) receive() (int32, []byte) {
	c.t.Helper()
	id, body, err := c.tryReceive()
	if err != nil {
		c.t.Fatalf("no answer: %v", err)
	}
	return id, body
}

func (c *client) tryReceive() (int32, []byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(c.reader, size[:]); err != nil {
		return 0, nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c.reader, frame); err != nil {
		return 0, nil, err
	}
	return int32(binary.BigEndian.Uint32(frame)), frame[4:], nil
}

// expect reads answers and checks that they are those to the requests of these numbers, in this order.
func (c *client) expect(numbers ...int32) {
	c.t.Helper()
	for _, want := range numbers {
		if got, _ := c.receive(); got != want {
			c.t.Fatalf("answer %d came, not %d", got, want)
		}
	}
}

// expectClosed checks that the connection ends without a further answer.
func (c *client) expectClosed() {
	c.t.Helper()
	if id, _, err := c.tryReceive(); err == nil {
		c.t.Fatalf("answer %d came, the connection should have been closed", id)
	}
}

// The requests of these tests: produce may overlap, heartbeat may not, and fetch waits.
func apiVersions() kmsg.Request { return kmsg.NewPtrApiVersionsRequest() }

func produce(payload int) kmsg.Request {
	r := kmsg.NewPtrProduceRequest()
	r.Version = 7
	topic := kmsg.NewProduceRequestTopic()
	partition := kmsg.NewProduceRequestTopicPartition()
	partition.Records = bytes.Repeat([]byte{'p'}, payload)
	topic.Partitions = append(topic.Partitions, partition)
	r.Topics = append(r.Topics, topic)
	return r
}

func heartbeat() kmsg.Request { return kmsg.NewPtrHeartbeatRequest() }

func fetch() kmsg.Request { return kmsg.NewPtrFetchRequest() }

func answerAtOnce(_ *api.Broker, r *api.Request) api.Result {
	return api.Result{Response: r.Body.ResponseKind()}
}

// gate is a handler whose answers are parked until the test lets them go.
type gate struct {
	arrived chan *api.Request
	release chan struct{} // One answer, in the order of arrival, for each value.
	cut     chan struct{}
}

func newGate() *gate {
	return &gate{arrived: make(chan *api.Request, 1000), release: make(chan struct{}), cut: make(chan struct{}, 1000)}
}

func (g *gate) handle(_ *api.Broker, r *api.Request) api.Result {
	done := make(chan struct{})
	cut := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-g.release:
		case <-cut:
		}
	}()
	g.arrived <- r
	return api.Result{Pending: &api.Pending{
		Done:   done,
		Finish: func() api.Result { return api.Result{Response: r.Body.ResponseKind()} },
		Cut:    func() { close(cut); g.cut <- struct{}{} },
	}}
}

func (g *gate) row(key, maxVersion int16, overlaps bool) api.Row {
	return api.Row{Key: key, Max: maxVersion, Handle: g.handle, Overlaps: overlaps, Aliases: overlaps}
}
