// Package client is a thin way to another node: one connection, on which requests are pipelined and answers come in their
// order. It knows frames, headers, versions and connections. It must not know what a request means, which node leads what,
// or when to try again: that is for whoever asks.
package client

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/wire"
)

const (
	// DefaultTimeout bounds a dial, and how long an answer may take, where Options say nothing.
	DefaultTimeout = 30 * time.Second
	// DefaultMaxResponse bounds an answer where Options say nothing.
	DefaultMaxResponse = 100 << 20
	// maxInFlight bounds the requests of one connection that wait for their answers.
	maxInFlight = 256
	readBuffer  = 32 << 10
)

var (
	// ErrBroken is wrapped by what Do returns when the connection ended before the answer came: the request may have been acted on.
	ErrBroken = errors.New("connection is broken")
	// ErrTimeout is why a connection broke on which an answer took longer than Options.Timeout.
	ErrTimeout = errors.New("no answer in time")
	// ErrUnsupported is wrapped by what Do returns when the node does not take the request at any version that we know.
	ErrUnsupported = errors.New("request is not supported by the node")
)

// Options say whom to dial and how long to wait.
type Options struct {
	Address  string // host:port; the name is resolved at each dial
	ClientID string
	// Timeout bounds the dial and, for each request, the time until its answer: a longer one breaks the connection, as
	// whatever was asked behind it would wait too. Zero is DefaultTimeout.
	Timeout time.Duration
	// MaxResponse bounds the size of an answer; a larger one breaks the connection. Zero is DefaultMaxResponse.
	MaxResponse int
	Version     string // of the software, for ApiVersions
}

// Conn is a connection to a node. Any goroutine may use it; requests go out in the order in which Do takes them.
type Conn struct {
	o        Options
	socket   net.Conn
	format   *kmsg.RequestFormatter
	versions map[int16]versionRange

	writing     chan struct{} // held by whoever writes, so that the order in sent is that on the wire
	correlation int32         // belongs to who holds writing
	sent        chan *call    // in order; its room bounds what is in flight

	broken chan struct{} // closed when the connection has ended
	once   sync.Once
	err    error // why; set before broken is closed
}

type versionRange struct{ min, max int16 }

// call is a request that waits for its answer.
type call struct {
	key, version  int16
	correlationID int32
	response      kmsg.Response
	pooled        bool
	timer         *time.Timer
	done          chan outcome // has room for one, so that nobody waits for who gave up
}

type outcome struct {
	frame *wire.Buffer // nil unless pooled
	err   error
}

// Dial connects and asks which versions the node takes.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxResponse == 0 {
		o.MaxResponse = DefaultMaxResponse
	}
	if o.Version == "" {
		o.Version = "unknown"
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	var dialer net.Dialer
	socket, err := dialer.DialContext(ctx, "tcp", o.Address)
	if err != nil {
		return nil, err
	}
	c := &Conn{
		o: o, socket: socket, format: kmsg.NewRequestFormatter(kmsg.FormatterClientID(o.ClientID)),
		writing: make(chan struct{}, 1), sent: make(chan *call, maxInFlight), broken: make(chan struct{}),
	}
	go c.read()
	if err := c.negotiate(ctx); err != nil {
		c.fail(err)
		return nil, fmt.Errorf("%s: ask for its versions: %w", o.Address, err)
	}
	return c, nil
}

// negotiate asks for the node's versions. It is the one request that is sent before they are known.
func (c *Conn) negotiate(ctx context.Context) error {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = wire.NodeSoftware, c.o.Version
	answer, _, err := c.send(ctx, req, 3, false)
	if err != nil {
		return err
	}
	resp, ok := answer.(*kmsg.ApiVersionsResponse)
	if !ok || resp.ErrorCode != 0 {
		return fmt.Errorf("ApiVersions version 3: error code %d", resp.ErrorCode)
	}
	c.versions = make(map[int16]versionRange, len(resp.ApiKeys))
	for i := range resp.ApiKeys {
		k := &resp.ApiKeys[i]
		c.versions[k.ApiKey] = versionRange{k.MinVersion, k.MaxVersion}
	}
	return nil
}

// Supports tells the versions of a request that the node takes.
func (c *Conn) Supports(key int16) (least, most int16, ok bool) {
	v, ok := c.versions[key]
	return v.min, v.max, ok
}

// Do sends the request at the highest version that both know, and waits for the answer. When ctx ends before, the answer is
// dropped when it comes, and the connection stays.
func (c *Conn) Do(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	version, err := c.version(req)
	if err != nil {
		return nil, err
	}
	answer, _, err := c.send(ctx, req, version, false)
	return answer, err
}

// DoPooled is Do for large answers: byte slices in the answer lie in a pooled buffer, which the caller frees when it needs
// neither any more.
func (c *Conn) DoPooled(ctx context.Context, req kmsg.Request) (kmsg.Response, *wire.Buffer, error) {
	version, err := c.version(req)
	if err != nil {
		return nil, nil, err
	}
	return c.send(ctx, req, version, true)
}

func (c *Conn) version(req kmsg.Request) (int16, error) {
	v, ok := c.versions[req.Key()]
	if !ok || v.min > req.MaxVersion() {
		return 0, fmt.Errorf("%s: %s: %w", c.o.Address, kmsg.NameForKey(req.Key()), ErrUnsupported)
	}
	return min(v.max, req.MaxVersion()), nil
}

func (c *Conn) send(ctx context.Context, req kmsg.Request, version int16, pooled bool) (kmsg.Response, *wire.Buffer, error) {
	req.SetVersion(version)
	w := &call{key: req.Key(), version: version, response: req.ResponseKind(), pooled: pooled, done: make(chan outcome, 1)}
	w.response.SetVersion(version)
	if err := c.write(ctx, req, w); err != nil {
		return nil, nil, err
	}
	select {
	case o := <-w.done:
		return w.response, o.frame, o.err
	case <-ctx.Done():
		go w.drop() // the answer may be there already, or has yet to come
		return nil, nil, ctx.Err()
	}
}

// drop waits for an answer that nobody wants, which comes within the timeout, and frees it.
func (w *call) drop() {
	if o := <-w.done; o.frame != nil {
		o.frame.Free()
	}
}

func (c *Conn) write(ctx context.Context, req kmsg.Request, w *call) error {
	select {
	case c.writing <- struct{}{}:
	case <-c.broken:
		return c.brokenError()
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.writing }()
	select {
	case <-c.broken: // read may have answered all that was queued, and gone
		return c.brokenError()
	default:
	}
	c.correlation++
	w.correlationID = c.correlation
	out := c.format.AppendRequest(nil, req, w.correlationID)
	w.timer = time.AfterFunc(c.o.Timeout, func() { c.fail(ErrTimeout) })
	select {
	case c.sent <- w:
	case <-c.broken:
		w.timer.Stop()
		return c.brokenError()
	case <-ctx.Done():
		w.timer.Stop()
		return ctx.Err()
	}
	if _, err := c.socket.Write(out); err != nil {
		c.fail(err) // what was queued is answered by read
	}
	return nil
}

// read hands out answers until the connection ends, and then errors.
func (c *Conn) read() {
	in := bufio.NewReaderSize(c.socket, readBuffer)
	for {
		frame, err := c.frame(in)
		if err != nil {
			c.fail(err)
			break
		}
		select {
		case w := <-c.sent:
			if err := c.deliver(w, frame); err != nil {
				c.fail(err)
			}
		default:
			frame.Free()
			c.fail(errors.New("an answer that nobody asked for"))
		}
	}
	for {
		select {
		case w := <-c.sent:
			w.timer.Stop()
			w.done <- outcome{err: c.brokenError()}
		case c.writing <- struct{}{}: // so nobody is about to queue, and whoever comes later sees that broken is closed
			c.refuseRest()
			return
		}
	}
}

func (c *Conn) refuseRest() {
	for {
		select {
		case w := <-c.sent:
			w.timer.Stop()
			w.done <- outcome{err: c.brokenError()}
		default:
			<-c.writing
			return
		}
	}
}

func (c *Conn) frame(in *bufio.Reader) (*wire.Buffer, error) {
	var prefix [wire.FramePrefix]byte
	if _, err := io.ReadFull(in, prefix[:]); err != nil {
		return nil, err
	}
	size, err := wire.FrameSize(prefix[:], c.o.MaxResponse)
	if err != nil {
		return nil, err
	}
	if size < 4 {
		return nil, fmt.Errorf("answer of %d bytes", size)
	}
	frame := wire.GetBuffer(size)
	if _, err := io.ReadFull(in, frame.Extend(size)); err != nil {
		frame.Free()
		return nil, err
	}
	return frame, nil
}

// deliver decodes an answer for its call. An error means that the connection is of no use any more.
func (c *Conn) deliver(w *call, frame *wire.Buffer) error {
	w.timer.Stop()
	err := w.decode(frame.B)
	o := outcome{err: err}
	if w.pooled && err == nil {
		o.frame = frame
	} else if err != nil || !mayAlias(w.key) {
		frame.Free()
	}
	if err != nil {
		o.err = fmt.Errorf("%s: %s version %d: %w", c.o.Address, kmsg.NameForKey(w.key), w.version, err)
	}
	w.done <- o
	return err
}

// mayAlias says whether the codec leaves byte slices of an answer in its frame, which then belongs to the answer.
func mayAlias(key int16) bool {
	switch kmsg.Key(key) {
	case kmsg.BrokerHeartbeat, kmsg.BrokerRegistration, kmsg.AlterPartition, kmsg.ApiVersions, kmsg.Metadata:
		return false
	}
	return true
}

func (w *call) decode(frame []byte) error {
	if id := int32(binary.BigEndian.Uint32(frame)); id != w.correlationID {
		return fmt.Errorf("answer to request %d where %d was expected", id, w.correlationID)
	}
	body := frame[4:]
	if w.response.IsFlexible() && w.key != int16(kmsg.ApiVersions) {
		r := kbin.Reader{Src: body}
		kmsg.SkipTags(&r)
		if err := r.Complete(); err != nil {
			return err
		}
		body = r.Src
	}
	return w.response.ReadFrom(body)
}

func (c *Conn) fail(err error) {
	c.once.Do(func() {
		c.err = err
		close(c.broken)
		_ = c.socket.Close() // it is why we are here, or of no use any more
	})
}

func (c *Conn) brokenError() error {
	<-c.broken
	return fmt.Errorf("%s: %w: %w", c.o.Address, ErrBroken, c.err)
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.broken }

// Close ends the connection: whoever waits gets ErrBroken.
func (c *Conn) Close() { c.fail(net.ErrClosed) }
