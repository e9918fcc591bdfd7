// Package server knows listeners and connections: accepting, reading frames, the order in which answers leave, limits,
// and an orderly end. It hands each decoded request to its row in the api's table and must not know what any of them
// means.
//
// A connection is one goroutine that does everything inline: it reads what is there, serves each whole request that is
// buffered, and writes the answers when no further one is. Only while a produce request is parked does a second
// goroutine wait for it, so that produce requests behind it can start.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/barnabas-mq/barnabas/internal/api"
	"github.com/barnabas-mq/barnabas/internal/complaints"
)

// Listener is one address to listen on.
type Listener struct {
	Name    string // As in listeners and in listener.security.protocol.map.
	Address string // host:port; an empty host is every interface, port 0 any free port.
	// SendBuffer and ReceiveBuffer are socket.send.buffer.bytes and socket.receive.buffer.bytes; 0 or less leaves
	// them to the system, which tunes them to the connection.
	SendBuffer, ReceiveBuffer int
}

// Options are what a server is made of. Nothing in it changes after New; limits change through SetLimits, listeners through
// SetListeners.
type Options struct {
	Listeners []Listener
	Rows      []api.Row
	Broker    *api.Broker
	Limits    Limits
	Observer  Observer // Nil observes nothing.
	Logger    *slog.Logger
}

// Server accepts connections and serves them. The zero value is not usable.
type Server struct {
	options    Options
	rows       map[int16]*api.Row
	errors     api.ErrorFields
	limits     atomic.Pointer[Limits]
	budget     *budget
	observer   Observer
	complaints *complaints.Book

	// life ends when the time to stop is up: everything that still waits is told so.
	life context.Context //nolint:containedctx // The server's own life.
	end  context.CancelFunc

	wait sync.WaitGroup // Accept loops and connections.

	mu          sync.Mutex   // Guards the fields below.
	listening   []*listening // In the order in which they were bound.
	connections map[*conn]struct{}
	perIP       map[string]int
	room        *sync.Cond // A connection was closed, or the server stops.
	stopping    bool
	accepted    uint64
}

// New makes a server that does not listen yet.
func New(o Options) *Server {
	s := &Server{
		options:     o,
		rows:        make(map[int16]*api.Row, len(o.Rows)),
		errors:      api.ErrorFieldsOf(o.Rows),
		budget:      newBudget(),
		observer:    o.Observer,
		complaints:  complaints.New(o.Logger),
		connections: make(map[*conn]struct{}),
		perIP:       make(map[string]int),
	}
	if s.observer == nil {
		s.observer = nobody{}
	}
	for i := range o.Rows {
		s.rows[o.Rows[i].Key] = &o.Rows[i]
	}
	s.room = sync.NewCond(&s.mu)
	s.life, s.end = context.WithCancel(context.Background())
	s.SetLimits(o.Limits)
	return s
}

// SetLimits changes the limits for everything that is accepted, read or waits from now on.
func (s *Server) SetLimits(l Limits) {
	s.limits.Store(&l)
	s.budget.resize(l.QueuedMaxBytes)
	s.mu.Lock()
	s.room.Broadcast()
	s.mu.Unlock()
}

// ServeConn serves one connection that was accepted elsewhere, in the background. It is how a listener hands over its
// connections, and how a test brings one that has no socket.
func (s *Server) ServeConn(listener string, socket net.Conn) {
	c, ok := s.open(listener, socket)
	if !ok {
		_ = socket.Close()
		return
	}
	s.observer.Connections(listener, 1)
	s.wait.Go(func() {
		c.run()
		s.observer.Connections(listener, -1)
	})
}

func (s *Server) open(listener string, socket net.Conn) (*conn, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, false
	}
	s.accepted++
	c := newConn(s, listener, socket, s.accepted)
	s.connections[c] = struct{}{}
	s.perIP[c.peerIP]++
	return c, true
}

func (s *Server) closed(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.connections, c)
	if s.perIP[c.peerIP]--; s.perIP[c.peerIP] == 0 {
		delete(s.perIP, c.peerIP)
	}
	s.room.Broadcast()
}

// forcedEnd is how long handlers that are told to give up may take to do so.
const forcedEnd = 5 * time.Second

// errForced says that not everything in flight could be finished.
var errForced = errors.New("connections were closed with requests in flight")

// Shutdown stops accepting, lets every connection finish what it has received whole, answers long polls with what
// there is, and closes. When ctx ends before that, what still waits is told to give up and its connections are closed.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	open := make([]*conn, 0, len(s.connections))
	for c := range s.connections {
		open = append(open, c)
	}
	bound := s.listening
	s.room.Broadcast()
	s.mu.Unlock()
	for _, l := range bound {
		l.close()
	}
	for _, c := range open {
		c.drain()
	}
	finished := make(chan struct{})
	go func() {
		s.wait.Wait()
		close(finished)
	}()
	defer s.complaints.Flush()
	defer s.end()
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
	}
	s.end()
	for _, c := range open {
		_ = c.socket.Close()
	}
	select {
	case <-finished:
		return errForced
	case <-time.After(forcedEnd):
		return fmt.Errorf("%w, and a handler does not end", errForced)
	}
}
