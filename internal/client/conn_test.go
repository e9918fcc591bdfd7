package client

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node is a peer that answers ApiVersions, and the rest as the test says.
type node struct {
	t        *testing.T
	listener net.Listener
	served   sync.WaitGroup
}

// request is a frame that came in.
type request struct {
	key, version int16
	correlation  uint32
}

// newNode answers each request behind ApiVersions with what answer gives; nil closes the connection.
func newNode(t *testing.T, answer func(request) []byte) *node {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, listener: l}
	n.served.Go(func() {
		for {
			socket, err := l.Accept()
			if err != nil {
				return
			}
			n.served.Go(func() { n.serve(socket, answer) })
		}
	})
	t.Cleanup(n.stop)
	return n
}

func (n *node) stop() {
	_ = n.listener.Close()
	n.served.Wait()
}

func (n *node) serve(socket net.Conn, answer func(request) []byte) {
	defer socket.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(socket, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(socket, frame); err != nil {
			return
		}
		r := request{int16(binary.BigEndian.Uint16(frame)), int16(binary.BigEndian.Uint16(frame[2:])), binary.BigEndian.Uint32(frame[4:])}
		var out []byte
		if r.key == int16(kmsg.ApiVersions) {
			out = r.respond(versions(), false)
		} else if out = answer(r); out == nil {
			return
		}
		if _, err := socket.Write(out); err != nil {
			return
		}
	}
}

// versions says that Metadata is taken up to version 9.
func versions() kmsg.Response {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.Version = 3
	resp.ApiKeys = []kmsg.ApiVersionsResponseApiKey{{ApiKey: 3, MinVersion: 0, MaxVersion: 9}, {ApiKey: 1, MinVersion: 90, MaxVersion: 90}}
	return resp
}

func (r request) respond(resp kmsg.Response, flexible bool) []byte {
	body := binary.BigEndian.AppendUint32(nil, r.correlation)
	if flexible {
		body = append(body, 0)
	}
	body = resp.AppendTo(body)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// cluster answers Metadata with a controller whose id is the request's correlation id.
func (r request) cluster() []byte {
	resp := kmsg.NewPtrMetadataResponse()
	resp.Version = r.version
	resp.ControllerID = int32(r.correlation)
	return r.respond(resp, true)
}

func (n *node) address() string { return n.listener.Addr().String() }

func (n *node) dial(o Options) *Conn {
	n.t.Helper()
	o.Address = n.address()
	c, err := Dial(n.t.Context(), o)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(c.Close)
	return c
}

func TestManyRequestsShareAConnectionAtTheHighestCommonVersion(t *testing.T) {
	n := newNode(t, request.cluster)
	c := n.dial(Options{})
	var all sync.WaitGroup
	var mu sync.Mutex
	seen := map[int32]bool{}
	for range 500 {
		all.Go(func() {
			answer, err := c.Do(t.Context(), kmsg.NewPtrMetadataRequest())
			if err != nil {
				t.Error(err)
				return
			}
			resp := answer.(*kmsg.MetadataResponse)
			mu.Lock()
			defer mu.Unlock()
			if resp.Version != 9 || seen[resp.ControllerID] {
				t.Errorf("version %d, answer to request %d, seen before: %v", resp.Version, resp.ControllerID, seen[resp.ControllerID])
			}
			seen[resp.ControllerID] = true
		})
	}
	all.Wait()
}

func TestARequestThatTheNodeDoesNotTakeIsNotSent(t *testing.T) {
	n := newNode(t, func(request) []byte { return nil })
	c := n.dial(Options{})
	for _, req := range []kmsg.Request{kmsg.NewPtrListGroupsRequest(), kmsg.NewPtrFetchRequest()} {
		if _, err := c.Do(t.Context(), req); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%T: %v", req, err)
		}
	}
}

func TestWhoeverWaitsIsToldWhenTheConnectionBreaks(t *testing.T) {
	n := newNode(t, func(request) []byte { return nil })
	c := n.dial(Options{})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := c.Do(t.Context(), kmsg.NewPtrMetadataRequest()); !errors.Is(err, ErrBroken) {
				t.Errorf("the answer is %v", err)
			}
		})
	}
	all.Wait()
	<-c.Done()
}

func TestANodeThatDoesNotAnswerInTimeCostsTheConnection(t *testing.T) {
	wait := make(chan struct{})
	n := newNode(t, func(request) []byte {
		<-wait
		return nil
	})
	defer close(wait)
	c := n.dial(Options{Timeout: 50 * time.Millisecond})
	if _, err := c.Do(t.Context(), kmsg.NewPtrMetadataRequest()); !errors.Is(err, ErrTimeout) {
		t.Fatal(err)
	}
}

func TestACallerThatGivesUpLeavesTheConnectionToOthers(t *testing.T) {
	first := make(chan struct{})
	n := newNode(t, func(r request) []byte {
		<-first
		return r.cluster()
	})
	c := n.dial(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := c.Do(ctx, kmsg.NewPtrMetadataRequest())
		gone <- err
	}()
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(first)
	if _, err := c.Do(t.Context(), kmsg.NewPtrMetadataRequest()); err != nil {
		t.Fatal(err)
	}
}

func TestAnAnswerLargerThanAllowedIsNotRead(t *testing.T) {
	n := newNode(t, func(r request) []byte { return binary.BigEndian.AppendUint32(nil, 1<<30) })
	c := n.dial(Options{MaxResponse: 1 << 20})
	if _, err := c.Do(t.Context(), kmsg.NewPtrMetadataRequest()); !errors.Is(err, ErrBroken) {
		t.Fatal(err)
	}
}

func TestAPooledAnswerIsFreedByTheCaller(t *testing.T) {
	n := newNode(t, request.cluster)
	c := n.dial(Options{})
	_, frame, err := c.DoPooled(t.Context(), kmsg.NewPtrMetadataRequest())
	if err != nil {
		t.Fatal(err)
	}
	frame.Free()
}

func TestAPeerDialsAnewWhenItsNodeCameBackElsewhere(t *testing.T) {
	var mu sync.Mutex
	first, second := newNode(t, request.cluster), newNode(t, request.cluster)
	at := first
	p := NewPeer(func() (string, bool) {
		mu.Lock()
		defer mu.Unlock()
		return at.address(), true
	}, Options{})
	t.Cleanup(p.Close)
	before, err := p.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	at = second
	mu.Unlock()
	if _, err := p.Do(t.Context(), kmsg.NewPtrMetadataRequest()); err != nil {
		t.Fatal(err)
	}
	<-before.Done()
	after, err := p.Connect(t.Context())
	if err != nil || after.o.Address != second.address() {
		t.Fatalf("connected to %v, %v", after, err)
	}
	after.Close()
	if _, err := p.Do(t.Context(), kmsg.NewPtrMetadataRequest()); err != nil {
		t.Fatalf("after the connection broke: %v", err)
	}
}
