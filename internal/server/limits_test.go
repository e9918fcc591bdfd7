package server

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barnabas-mq/barnabas/internal/api"
	"github.com/barnabas-mq/barnabas/internal/wire"
)

func TestConnectionsBeyondThoseOfOneAddressAreClosed(t *testing.T) {
	h := open(t, Limits{MaxConnectionsPerIP: 2})
	first, second := h.dial(), h.dial()
	first.send(apiVersions())
	first.expect(1)
	second.send(apiVersions())
	second.expect(1)
	h.dial().expectClosed()
	_ = first.socket.Close()
	for { // The server may take a moment to see it.
		c := h.dial()
		_, _ = c.socket.Write(c.bytesOf(apiVersions()))
		if _, _, err := c.tryReceive(); err == nil {
			break
		}
		runtime.Gosched()
	}
}

func TestAnAddressMayHaveALimitOfItsOwn(t *testing.T) {
	h := open(t, Limits{MaxConnectionsPerIP: 100, PerIP: map[string]int{"127.0.0.1": 0}})
	h.dial().expectClosed()
}

func TestBeyondMaxConnectionsNothingIsAcceptedUntilOneCloses(t *testing.T) {
	h := open(t, Limits{MaxConnections: 1})
	first := h.dial()
	first.send(apiVersions())
	first.expect(1)
	second := h.dial()
	second.send(apiVersions())
	if second.reader.Buffered() > 0 {
		t.Error("the second was served")
	}
	_ = first.socket.Close()
	second.expect(1)
}

// Zero was taken for "not set", and let everybody in.
func TestALimitOfZeroLetsNobodyIn(t *testing.T) {
	h := prepare(t, Limits{})
	none := ample(Limits{})
	none.MaxConnectionsPerIP = 0
	h.server.SetLimits(none)
	if err := h.server.Listen(); err != nil {
		t.Fatal(err)
	}
	h.server.Serve()
	defer h.stop()
	h.dial().expectClosed()
}

func TestLargeRequestsWaitForEachOthersMemory(t *testing.T) {
	g := newGate()
	h := open(t, Limits{QueuedMaxBytes: 1 << 20}, api.Row{Key: 0, Max: 9, Handle: func(b *api.Broker, r *api.Request) api.Result {
		// Blocks while it holds its buffer, as an append does that waits for the disk.
		g.arrived <- r
		<-g.release
		return answerAtOnce(b, r)
	}}, api.Row{Key: 12, Max: 4, Handle: answerAtOnce})
	first, second := h.dial(), h.dial()
	first.send(produce(2 << 20))
	<-g.arrived
	second.send(heartbeat()) // Everything waits, but nothing is dropped.
	go second.send(produce(2 << 20))
	for !h.server.budget.pressed() {
		runtime.Gosched()
	}
	if len(g.arrived) > 0 {
		t.Error("a request was read although its memory is not there")
	}
	g.release <- struct{}{}
	first.expect(1)
	second.expect(1)
	<-g.arrived
	g.release <- struct{}{}
	second.expect(2)
	if used := h.server.budget.usedNow(); used != 0 {
		t.Errorf("%d bytes are still taken", used)
	}
}

// usedNow waits until what answers hold is written.
func (b *budget) usedNow() int64 {
	for deadline := time.Now().Add(5 * time.Second); ; {
		b.mu.Lock()
		used := b.used
		b.mu.Unlock()
		if used == 0 || time.Now().After(deadline) {
			return used
		}
		runtime.Gosched()
	}
}

func TestTheBudgetIsSharedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget()
		b.resize(100)
		if !b.try(99, nil) || !b.try(1000, nil) || b.try(1, nil) {
			t.Fatal("a request of any size is let in while anything is left, and none after it")
		}
		var order []int
		for i := range 3 {
			go func() {
				if err := b.acquire(t.Context(), 200, nil); err != nil {
					t.Error(err)
				}
				order = append(order, i)
			}()
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() { gone <- b.acquire(ctx, 50, nil) }()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up got %v", err)
		}
		b.release(99, nil)
		synctest.Wait()
		if len(order) != 0 {
			t.Fatalf("%v were let in too early", order)
		}
		for _, bytes := range []int64{1000, 200, 200} {
			b.release(bytes, nil)
			synctest.Wait()
		}
		if len(order) != 3 || order[0] != 0 || order[1] != 1 || order[2] != 2 || b.used != 200 {
			t.Errorf("order %v, %d bytes taken", order, b.used)
		}
	})
}

func TestHalfReadRequestsDoNotWaitForEachOtherForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget()
		b.resize(100)
		frames := make([]incoming, 3)
		for i := range frames {
			if !b.try(40, nil) {
				t.Fatal("no bytes left")
			}
			frames[i].taken = 40
		}
		var finished atomic.Int32
		for i := range frames {
			go func() {
				if err := b.acquire(t.Context(), 1000, &frames[i]); err != nil {
					t.Error(err)
				}
				finished.Add(1)
				b.release(1040, &frames[i])
			}()
		}
		synctest.Wait()
		if finished.Load() != 3 || b.used != 0 {
			t.Errorf("%d of 3 finished, %d bytes taken", finished.Load(), b.used)
		}
	})
}

// pipe is a connection in memory, so that its time can be fake.
func (h *house) pipe() *client {
	ours, theirs := net.Pipe()
	h.server.ServeConn("PLAINTEXT", theirs)
	c := newClient(h.t, ours)
	_ = ours.SetDeadline(time.Now().Add(time.Hour))
	return c
}

func TestIdleConnectionsAreClosedAndBusyOnesAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := prepare(t, Limits{MaxIdle: time.Minute})
		defer h.stop()
		idle, busy := h.pipe(), h.pipe()
		for i := range int32(5) {
			busy.send(apiVersions())
			busy.expect(i + 1)
			time.Sleep(40 * time.Second)
		}
		started := time.Now()
		idle.expectClosed()
		if time.Since(started) > 0 {
			t.Error("the idle connection was open for too long")
		}
		busy.expectClosed()
		if waited := time.Since(started); waited < 15*time.Second || waited > 30*time.Second {
			t.Errorf("the busy connection was closed after another %s", waited)
		}
	})
}

// A negative connections.max.idle.ms was taken for "not set", and closed connections after Kafka's ten minutes.
func TestANegativeLimitClosesNoIdleConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := prepare(t, Limits{MaxIdle: -time.Millisecond})
		defer h.stop()
		c := h.pipe()
		for i := range int32(2) {
			c.send(apiVersions())
			c.expect(i + 1)
			time.Sleep(25 * time.Minute)
		}
		c.send(apiVersions())
		c.expect(3)
	})
}

func TestAFrameThatDoesNotGoOnIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := prepare(t, Limits{MaxIdle: time.Hour})
		defer h.stop()
		c := h.pipe()
		c.sendBytes([]byte{0, 0, 1, 0, 0, 18})
		started := time.Now()
		c.expectClosed()
		if waited := time.Since(started); waited < stallLimit-stallTick || waited > stallLimit+stallTick {
			t.Errorf("after %s", waited)
		}
	})
}

func TestAStalledFrameIsGivenUpSoonerWhenOthersNeedItsMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := prepare(t, Limits{MaxIdle: time.Hour, QueuedMaxBytes: 100})
		defer h.stop()
		stalled, other := h.pipe(), h.pipe()
		stalled.sendBytes([]byte{0, 0, 1, 0, 0, 18})
		synctest.Wait()
		started := time.Now()
		other.send(apiVersions())
		other.expect(1)
		if waited := time.Since(started); waited > 2*stallTick {
			t.Errorf("after %s", waited)
		}
		stalled.expectClosed()
	})
}

func TestMemoryFollowsTheBytesThatArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := prepare(t, Limits{MaxIdle: time.Hour})
		defer h.stop()
		for range 20 { // Each promises 100 MB.
			h.pipe().sendBytes([]byte{6, 0x3f, 0xff, 0xff, 0, 0})
		}
		synctest.Wait()
		if used := h.server.budget.used; used > 20*unprovenFrame {
			t.Errorf("%d bytes are taken for 120 that came", used)
		}
	})
}

func TestAClientThatDoesNotReadLosesItsConnectionOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := prepare(t, Limits{MaxIdle: time.Hour}, api.Row{Key: 1, Max: 12, Handle: func(_ *api.Broker, r *api.Request) api.Result {
			return api.Result{Encode: func(b *wire.Buffer) error {
				b.Extend(10 << 20)
				return nil
			}}
		}})
		defer h.stop()
		slow, other := h.pipe(), h.pipe()
		slow.send(fetch())
		synctest.Wait()
		other.send(apiVersions())
		other.expect(1)
		started := time.Now()
		for len(h.server.openConnections()) > 1 {
			time.Sleep(time.Second)
		}
		if waited := time.Since(started); waited < writeLimit-writeTick || waited > writeLimit+2*writeTick {
			t.Errorf("given up after %s", waited)
		}
		other.send(apiVersions())
		other.expect(2)
	})
}

// openConnections lists the connections.
func (s *Server) openConnections() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*conn
	for c := range s.connections {
		all = append(all, c)
	}
	return all
}

// scarce is a listener on a machine that runs out of descriptors.
type scarce struct {
	net.Listener
	failures atomic.Int32
}

func (s *scarce) Accept() (net.Conn, error) {
	if s.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}

func TestRunningOutOfDescriptorsCostsNoOpenConnection(t *testing.T) {
	h := prepare(t, Limits{})
	bound, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := &scarce{Listener: bound}
	h.server.listening = append(h.server.listening, newListening(h.server, Listener{Name: "PLAINTEXT"}, listener))
	h.server.Serve()
	t.Cleanup(h.stop)
	early := h.dial()
	early.send(apiVersions())
	early.expect(1)
	listener.failures.Store(3)
	for !h.dial().served() { // Turned away, but not left hanging.
	}
	early.send(apiVersions())
	early.expect(2)
	if h.log.count("accepting failed") > 1 {
		t.Error("the log says so again and again")
	}
}

// served reports whether the connection answers; one that does neither that nor end is an error.
func (c *client) served() bool {
	_, _ = c.socket.Write(c.bytesOf(apiVersions()))
	_, _, err := c.tryReceive()
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Error("the connection hangs")
		return true
	}
	return err == nil
}

func TestAConnectionThatWaitsHoldsNoBuffer(t *testing.T) {
	in := &incoming{}
	in.readInto(func([]byte) (int, error) { return 0, syscall.EAGAIN })
	if in.buffer != nil {
		t.Error("nothing was read, and a buffer is held")
	}
	in.readInto(func(p []byte) (int, error) { return copy(p, "bytes"), nil })
	in.readInto(func([]byte) (int, error) { return 0, io.EOF })
	if string(in.bytes()) != "bytes" {
		t.Errorf("%q", in.bytes())
	}
	in.buffer.Free()
}

func TestOnlyListedTransitionsAreLegal(t *testing.T) {
	s := stateAccepted
	s.to(stateOpen)
	s.to(stateDraining)
	defer func() {
		if recover() == nil {
			t.Error("a draining connection was opened again")
		}
	}()
	s.to(stateOpen)
}
