package server

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// firstAcceptPause and longestAcceptPause bound the back-off after a failed accept.
	firstAcceptPause   = 5 * time.Millisecond
	longestAcceptPause = time.Second
)

// listening is a bound listener.
type listening struct {
	server *Server
	config Listener
	bound  net.Listener
	stop   chan struct{}
	once   sync.Once
	// spare is a descriptor kept for the day when there are none: given up, it lets one connection be accepted and
	// closed, so that a client sees an end instead of hanging in the system's queue. Only the accept loop uses it.
	spare *os.File
	loop  sync.WaitGroup // The accept loop.

	// server.mu guards these.
	served  bool // The accept loop was started.
	removed bool // It is no listener of the server's any more.
}

func newListening(s *Server, config Listener, bound net.Listener) *listening {
	return &listening{server: s, config: config, bound: bound, stop: make(chan struct{})}
}

func (l *listening) takeSpare() {
	if l.spare == nil {
		l.spare, _ = os.Open(os.DevNull) // Without one, accepting merely backs off.
	}
}

func (l *listening) close() {
	l.once.Do(func() {
		close(l.stop)
		_ = l.bound.Close()
	})
}

// accept runs until the listener is closed. Whatever fails, open connections are not touched.
func (l *listening) accept() {
	defer l.loop.Done()
	l.takeSpare()
	defer func() {
		if l.spare != nil {
			_ = l.spare.Close()
		}
	}()
	pause := time.Duration(0)
	for l.awaitRoom() {
		socket, err := l.bound.Accept()
		if err == nil {
			pause = 0
			l.welcome(socket)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			l.turnAway()
		}
		l.server.complaints.Add("accept "+l.config.Name, "accepting failed", err)
		pause = min(max(2*pause, firstAcceptPause), longestAcceptPause)
		select {
		case <-time.After(pause):
		case <-l.stop:
			return
		}
	}
}

// turnAway accepts one connection with the spare descriptor and closes it.
func (l *listening) turnAway() {
	if l.spare == nil {
		l.takeSpare()
		return
	}
	_ = l.spare.Close()
	l.spare = nil
	if socket, err := l.bound.Accept(); err == nil {
		_ = socket.Close()
	}
	l.takeSpare()
}

// awaitRoom waits until one more connection is allowed; false says that the listener is to end.
func (l *listening) awaitRoom() bool {
	s := l.server
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.stopping && !l.removed && len(s.connections) >= s.limits.Load().MaxConnections {
		s.room.Wait()
	}
	return !s.stopping && !l.removed
}

func (l *listening) welcome(socket net.Conn) {
	ip := hostOf(socket.RemoteAddr())
	l.server.mu.Lock()
	count := l.server.perIP[ip]
	l.server.mu.Unlock()
	if limit := l.server.limits.Load().connectionsOf(ip); count >= limit {
		l.server.complaints.Add(ip, "connection refused", errTooMany)
		_ = socket.Close()
		return
	}
	if tcp, isTCP := socket.(*net.TCPConn); isTCP {
		if l.config.SendBuffer > 0 {
			_ = tcp.SetWriteBuffer(l.config.SendBuffer)
		}
		if l.config.ReceiveBuffer > 0 {
			_ = tcp.SetReadBuffer(l.config.ReceiveBuffer)
		}
	}
	l.server.ServeConn(l.config.Name, socket)
}

var errTooMany = errors.New("max.connections.per.ip is reached")

// hostOf is the address without the port, which is what limits and log lines go by.
func hostOf(address net.Addr) string {
	if tcp, isTCP := address.(*net.TCPAddr); isTCP {
		return tcp.IP.String()
	}
	host, _, err := net.SplitHostPort(address.String())
	if err != nil {
		return address.String()
	}
	return host
}
