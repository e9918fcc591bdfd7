package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/api"
	"github.com/barnabas-mq/barnabas/internal/wire"
)

// conn is one connection. Everything without a lock belongs to the connection's goroutine; out and the right to write
// to the socket pass to the goroutine of parked.go while that one runs, and come back when it ends.
type conn struct {
	server *Server
	socket net.Conn
	raw    syscall.RawConn // Nil where the socket has no descriptor: a test's pipe, TLS.
	peerIP string
	about  api.Conn

	life context.Context //nolint:containedctx // The connection's own life; it ends with the server's at the latest.
	end  context.CancelFunc

	state    state
	incoming incoming
	// whenReadable and whenWritable are what raw calls.
	whenReadable func(fd uintptr) bool
	outgoing     outgoing
	whenWritable func(fd uintptr) bool
	out          *wire.Buffer // Answers that are held back; nil if there are none.
	lastOut      int          // How much the last flush wrote: a guess at the next one's size.
	heldFor      int          // The bytes of the requests that out answers.
	// writeUntil is when the socket's write deadline is, so that it is not set anew for each small answer.
	writeUntil time.Time

	mu        sync.Mutex // Guards the fields below.
	changed   *sync.Cond // An answer left parked, or writing ended.
	parked    []*answer  // In the order in which they leave.
	writing   bool       // The goroutine that writes them runs.
	failed    error      // Why nothing more can be written.
	waitingOn *answer    // What the connection's goroutine itself waits for.
	draining  bool
}

func newConn(s *Server, listener string, socket net.Conn, number uint64) *conn {
	c := &conn{server: s, socket: socket, peerIP: hostOf(socket.RemoteAddr())}
	c.about = api.Conn{
		ID:       fmt.Sprintf("%s-%s-%d", socket.LocalAddr(), socket.RemoteAddr(), number),
		Peer:     socket.RemoteAddr(),
		Local:    socket.LocalAddr(),
		Listener: listener,
		Rows:     s.options.Rows,
		// Nobody has to log in yet.
		Principal: "User:ANONYMOUS",
	}
	if withDescriptor, ok := socket.(syscall.Conn); ok {
		c.raw, _ = withDescriptor.SyscallConn() // Without one the connection reads like any other.
	}
	c.changed = sync.NewCond(&c.mu)
	c.life, c.end = context.WithCancel(s.life)
	return c
}

// run serves the connection to its end. Answers to what was received whole leave before an orderly close.
func (c *conn) run() {
	defer c.server.closed(c)
	defer c.end()
	c.state.to(stateOpen)
	err := c.serveAll()
	if !errors.Is(err, errEnded) {
		err = errors.Join(err, c.settle(), c.flushUnlessWriting())
	}
	c.release()
	c.say(err)
	c.lingeringClose(err)
	c.state.to(stateClosed)
	c.letGo()
}

// errEnded is an end that needs no log line: the client left, or was idle for too long, or the server stops.
var errEnded = errors.New("connection ended")

// rescue turns a panic into an error. A panic of a handler is a bug, but one client's request must not take the others'
// broker down: it is logged as what it is and costs that connection.
func (c *conn) rescue(err *error) {
	if p := recover(); p != nil {
		c.server.complaints.Say(slog.LevelError, fmt.Sprint("panic: ", p), "bug: a request panicked", "connection", c.about.ID,
			"panic", p, "stack", string(debug.Stack()))
		*err = fmt.Errorf("%w: a request panicked", errEnded)
	}
}

// serveAll reads and serves until something ends the connection; nil is an orderly end.
func (c *conn) serveAll() (err error) {
	defer c.rescue(&err)
	for {
		frame, whole, err := c.next()
		if err != nil {
			return err
		}
		if err := c.flushAhead(); err != nil {
			return err
		}
		if whole {
			if err := c.serve(frame); err != nil {
				return err
			}
			continue
		}
		if !c.flushesWhenDry() {
			if err := c.flushUnlessWriting(); err != nil {
				return err
			}
		}
		if c.isOver() {
			c.state.to(stateDraining)
			return nil
		}
		if err := c.fill(); err != nil {
			// What was asked before the reading ended is answered, whatever ended it.
			if failed := c.flushUnlessWriting(); failed != nil {
				return failed
			}
			return c.endOfReading(err)
		}
	}
}

// endOfReading sorts out why nothing more can be read; nil is an orderly end.
func (c *conn) endOfReading(err error) error {
	if c.isOver() {
		c.state.to(stateDraining)
		return nil
	}
	switch {
	case errors.Is(err, io.EOF) && c.incoming.empty():
		// A client may close its side and still read the answers to what it asked.
		return nil
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", errEnded, err)
	}
	return err
}

// serve decodes one request and runs its handler.
func (c *conn) serve(frame []byte) error {
	header, body, err := wire.ParseHeader(frame)
	if err != nil {
		return err
	}
	row := c.server.rows[header.Key]
	if row == nil || header.Version < row.Min || header.Version > row.Max {
		return c.unsupported(header, len(frame))
	}
	shape, err := wire.Verify(header.Key, header.Version, body)
	if err != nil {
		return err
	}
	if shape.Decoded > decodedForFree {
		if err := c.take(int64(shape.Decoded)); err != nil {
			return err
		}
	}
	body = body[:shape.Size:shape.Size]
	if shape.Aliases && !row.Aliases {
		body = append([]byte(nil), body...)
	}
	request := kmsg.RequestForKey(header.Key)
	request.SetVersion(header.Version)
	if err := request.ReadFrom(body); err != nil {
		return fmt.Errorf("api key %d version %d passed but does not decode: %w: %w", header.Key, header.Version, wire.ErrMalformed, err)
	}
	return c.handle(row, header, request, len(frame))
}

// handle runs the handler once it is the request's turn, and sees to its answer.
func (c *conn) handle(row *api.Row, header wire.Header, body kmsg.Request, size int) error {
	if !row.Overlaps {
		if err := c.settle(); err != nil {
			return err
		}
	}
	a := &answer{in: size + wire.FramePrefix, request: api.Request{
		Conn: &c.about, Key: header.Key, Version: header.Version, CorrelationID: header.CorrelationID,
		ClientID: header.ClientID, Body: body, Received: time.Now(), Ctx: c.life,
	}}
	a.result = row.Handle(c.server.options.Broker, &a.request)
	c.consume()
	switch {
	case row.Overlaps && (a.result.Pending != nil || c.isWriting()):
		return c.park(a)
	case a.result.Pending != nil:
		if err := c.await(a); err != nil {
			return err
		}
	}
	return c.answer(a)
}

// unsupported is the end of a connection, but for ApiVersions: that is answered in version 0, which every client can
// read, with what it may ask instead (KIP-511).
func (c *conn) unsupported(header wire.Header, size int) error {
	row := c.server.rows[apiVersionsKey]
	if header.Key != apiVersionsKey || row == nil {
		return fmt.Errorf("api key %d version %d is not served: %w", header.Key, header.Version, wire.ErrMalformed)
	}
	header.Version = 0
	refusal := *row
	refusal.Handle = (*api.Broker).UnsupportedApiVersions
	return c.handle(&refusal, header, kmsg.NewPtrApiVersionsRequest(), size)
}

const apiVersionsKey = 18

// say logs why the connection ended, where that is of interest.
func (c *conn) say(err error) {
	logger := c.server.options.Logger
	switch {
	case err == nil || errors.Is(err, errEnded):
		logger.Debug("connection closed", "connection", c.about.ID, "why", err)
	case errors.Is(err, wire.ErrMalformed):
		c.server.observer.Refused(c.about.Listener)
		c.server.complaints.Add(c.peerIP, "connection closed: malformed request", err)
	default:
		c.server.complaints.Add(c.peerIP, "connection closed", err)
	}
}

// lingerLimit and lingerBytes bound how long, and for how much, a closed connection still listens.
const (
	lingerLimit = 200 * time.Millisecond
	lingerBytes = 256 << 10
)

// lingeringClose closes the socket. Closing while bytes of the client lie unread resets the connection, and the reset
// may overtake the answers that are still on their way; so after a refusal the client gets a moment to see them.
func (c *conn) lingeringClose(err error) {
	defer func() { _ = c.socket.Close() }()
	half, can := c.socket.(interface{ CloseWrite() error })
	if err == nil || errors.Is(err, errEnded) || !can || half.CloseWrite() != nil {
		return
	}
	_ = c.socket.SetReadDeadline(time.Now().Add(lingerLimit))
	_, _ = io.CopyN(io.Discard, c.socket, lingerBytes)
}

// drain asks the connection to finish what it has and close. Any goroutine may call it.
func (c *conn) drain() {
	c.mu.Lock()
	c.draining = true
	c.mu.Unlock()
	c.cutAll()
	_ = c.socket.SetReadDeadline(past)
}

// past is a deadline that ends every wait at once.
var past = time.Unix(1, 0)

// isOver reports whether nothing more is to be read.
func (c *conn) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draining || c.failed != nil
}
