package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/api"
	"github.com/barnabas-mq/barnabas/internal/wire"
)

func TestAClientLearnsWhatIsServed(t *testing.T) {
	c := open(t, Limits{}).dial()
	request := kmsg.NewPtrApiVersionsRequest()
	request.Version, request.ClientSoftwareName, request.ClientSoftwareVersion = 3, "test", "1.0"
	c.send(request)
	_, body := c.receive()
	response := kmsg.NewPtrApiVersionsResponse()
	response.Version = 3
	if err := response.ReadFrom(body); err != nil || response.ErrorCode != 0 || len(response.ApiKeys) == 0 {
		t.Errorf("%+v, error %v", response, err)
	}
}

func TestApiVersionsOfTheFutureIsAnsweredInVersionZero(t *testing.T) {
	c := open(t, Limits{}).dial()
	c.sendBytes([]byte{0, 0, 0, 15, 0, 18, 0, 99, 0, 0, 0, 7, 0, 1, 'x', 0, 1, 2, 3})
	id, body := c.receive()
	response := kmsg.NewPtrApiVersionsResponse()
	if err := response.ReadFrom(body); err != nil || id != 7 {
		t.Fatalf("answer %d: %v", id, err)
	}
	if response.ErrorCode != 35 || len(response.ApiKeys) != 1 || response.ApiKeys[0].MaxVersion != 5 {
		t.Errorf("%+v", response)
	}
	c.send(apiVersions())
	c.expect(1)
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	h := open(t, Limits{}, api.Row{Key: 12, Max: 4, Handle: answerAtOnce})
	c := h.dial()
	var requests []kmsg.Request
	var want []int32
	for i := range int32(5000) {
		requests = append(requests, heartbeat())
		want = append(want, i+1)
	}
	go c.send(requests...)
	c.expect(want...)
}

func TestAFrameThatArrivesByteByByteIsServed(t *testing.T) {
	c := open(t, Limits{}).dial()
	for _, b := range c.bytesOf(apiVersions(), apiVersions()) {
		c.sendBytes([]byte{b})
	}
	c.expect(1, 2)
}

func TestProduceOverlapsProduceAndIsAnsweredInOrder(t *testing.T) {
	g := newGate()
	c := open(t, Limits{}, g.row(0, 9, true)).dial()
	c.send(produce(10), produce(20), produce(30))
	for range 3 { // All have started although none is answered.
		<-g.arrived
	}
	for range 3 {
		g.release <- struct{}{}
	}
	c.expect(1, 2, 3)
}

func TestAnImmediateProduceWaitsItsTurnBehindAParkedOne(t *testing.T) {
	g := newGate()
	parked := true
	c := open(t, Limits{}, api.Row{Key: 0, Max: 9, Overlaps: true, Handle: func(b *api.Broker, r *api.Request) api.Result {
		if parked {
			parked = false
			return g.handle(b, r)
		}
		g.arrived <- r
		return answerAtOnce(b, r)
	}}).dial()
	c.send(produce(1), produce(1))
	<-g.arrived
	<-g.arrived
	g.release <- struct{}{}
	c.expect(1, 2)
}

func TestOtherRequestsWaitForParkedProduce(t *testing.T) {
	produced, beat := newGate(), make(chan struct{})
	h := open(t, Limits{}, produced.row(0, 9, true), api.Row{Key: 12, Max: 4, Handle: func(b *api.Broker, r *api.Request) api.Result {
		close(beat)
		return answerAtOnce(b, r)
	}})
	c := h.dial()
	c.send(produce(1), heartbeat(), produce(1))
	<-produced.arrived
	select {
	case <-beat:
		t.Fatal("the heartbeat was handled before the produce in front of it was answered")
	case <-produced.arrived:
		t.Fatal("the produce behind the heartbeat overtook it")
	case <-time.After(20 * time.Millisecond):
	}
	produced.release <- struct{}{}
	<-beat
	c.expect(1, 2)
	<-produced.arrived
	produced.release <- struct{}{}
	c.expect(3)
}

func TestHeldAnswersLeaveBeforeAnythingWaits(t *testing.T) {
	g := newGate()
	c := open(t, Limits{}, g.row(1, 4, false), api.Row{Key: 12, Max: 4, Handle: answerAtOnce}).dial()
	c.send(heartbeat(), fetch(), heartbeat()) // One packet.
	c.expect(1)
	<-g.arrived
	g.release <- struct{}{}
	c.expect(2, 3)
}

func TestHeldAnswersLeaveWhenTheClientPausesAmidAFrame(t *testing.T) {
	c := open(t, Limits{}, api.Row{Key: 12, Max: 4, Handle: answerAtOnce}).dial()
	c.send(heartbeat())
	c.expect(1) // the connection has a buffer of the size of one request now
	second, third := c.bytesOf(heartbeat()), c.bytesOf(heartbeat())
	half := len(third) / 2
	c.sendBytes(append(second, third[:half]...))
	c.expect(2)
	c.sendBytes(third[half:])
	c.expect(3)
}

func TestWhatWasAskedBeforeATornEndIsAnswered(t *testing.T) {
	c := open(t, Limits{}, api.Row{Key: 12, Max: 4, Handle: answerAtOnce}).dial()
	c.sendBytes(append(c.bytesOf(heartbeat()), 0, 0, 0, 99, 0))
	if err := c.socket.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c.expect(1)
	c.expectClosed()
}

func TestABusyProducerIsAnsweredBeforeTheBrokerHasDoneAllThatIsThere(t *testing.T) {
	gone := make(chan struct{})
	served := make(chan struct{}, 1000)
	handle := func(b *api.Broker, r *api.Request) api.Result {
		if len(served) == 20 {
			<-gone // by now the first answers have come
		}
		served <- struct{}{}
		return answerAtOnce(b, r)
	}
	c := open(t, Limits{}, api.Row{Key: 0, Max: 9, Handle: handle, Overlaps: true, Aliases: true}).dial()
	var many []kmsg.Request
	for range 21 {
		many = append(many, produce(heldForLimit/4))
	}
	sent := make(chan struct{})
	all := c.bytesOf(many...)
	go func() {
		defer close(sent)
		_, _ = c.socket.Write(all)
	}()
	c.expect(1, 2, 3, 4)
	close(gone)
	for n := range int32(17) {
		c.expect(5 + n)
	}
	<-sent
}

func TestAliasedBytesAreThereWhileTheHandlerRuns(t *testing.T) {
	seen := make(chan int, 100)
	c := open(t, Limits{}, api.Row{Key: 0, Max: 9, Aliases: true, Overlaps: true, Handle: func(b *api.Broker, r *api.Request) api.Result {
		records := r.Body.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records
		seen <- bytes.Count(records, []byte{'p'})
		return answerAtOnce(b, r)
	}}).dial()
	sizes := []int{10, 100_000, 3, 2_000_000, 7, 5_000_000, 5_000_000, 1}
	for i, size := range sizes {
		c.send(produce(size))
		if got := <-seen; got != size {
			t.Errorf("%d of %d bytes arrived", got, size)
		}
		c.expect(int32(i + 1))
	}
}

func TestBytesOfOtherRequestsBelongToTheHandler(t *testing.T) {
	kept := make(chan []byte, 1)
	c := open(t, Limits{}, api.Row{Key: 14, Max: 5, Handle: func(b *api.Broker, r *api.Request) api.Result {
		kept <- r.Body.(*kmsg.SyncGroupRequest).GroupAssignment[0].MemberAssignment
		return answerAtOnce(b, r)
	}}, api.Row{Key: 12, Max: 4, Handle: answerAtOnce}).dial()
	sync := kmsg.NewPtrSyncGroupRequest()
	assignment := kmsg.NewSyncGroupRequestGroupAssignment()
	assignment.MemberAssignment = []byte("assignment")
	sync.GroupAssignment = append(sync.GroupAssignment, assignment)
	c.send(sync)
	c.expect(1)
	for i := range int32(20) { // They reuse the read buffer.
		c.send(heartbeat())
		c.expect(i + 2)
	}
	if got := <-kept; string(got) != "assignment" {
		t.Errorf("the kept bytes became %q", got)
	}
}

func TestBadBytesCloseTheirConnectionAndNoOther(t *testing.T) {
	h := open(t, Limits{RequestMaxBytes: 1000}, api.Row{Key: 12, Max: 4, Handle: answerAtOnce})
	good := h.dial()
	cases := map[string][]byte{
		"negative size":         {0xff, 0xff, 0xff, 0xff},
		"huge size":             {0x7f, 0xff, 0xff, 0xff},
		"a byte over the limit": binary.BigEndian.AppendUint32(nil, 1001),
		"empty frame":           {0, 0, 0, 0},
		"unknown api":           {0, 0, 0, 10, 0x03, 0xe8, 0, 0, 0, 0, 0, 1, 0xff, 0xff},
		"negative api":          {0, 0, 0, 10, 0xff, 0xff, 0, 0, 0, 0, 0, 1, 0xff, 0xff},
		"unknown version":       {0, 0, 0, 10, 0, 12, 0, 99, 0, 0, 0, 1, 0xff, 0xff},
		"truncated body":        {0, 0, 0, 12, 0, 12, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 9},
		"HTTP":                  []byte("GET / HTTP/1.1\r\n\r\n"),
	}
	for name, p := range cases {
		c := h.dial()
		c.send(heartbeat()) // What came before is answered.
		c.sendBytes(p)
		id, _, err := c.tryReceive()
		if err != nil || id != 1 {
			t.Errorf("%s: the request before it was not answered: %v", name, err)
		}
		c.expectClosed()
	}
	good.send(heartbeat())
	good.expect(1)
	if n := h.log.count("level=WARN"); n != 1 {
		t.Errorf("%d log lines for one peer, not one:\n%s", n, h.log.text.String())
	}
}

func TestBytesBehindABodyAreIgnored(t *testing.T) {
	c := open(t, Limits{}).dial()
	c.sendBytes([]byte{0, 0, 0, 13, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xfe, 1, 2, 3})
	c.expect(1)
}

func TestAHandlerMayCloseAfterWhatWasAnswered(t *testing.T) {
	c := open(t, Limits{}, api.Row{Key: 12, Max: 4, Handle: answerAtOnce}, api.Row{Key: 1, Max: 4, Handle: func(*api.Broker, *api.Request) api.Result {
		return api.Result{Close: errors.New("as Kafka does")}
	}}).dial()
	c.send(heartbeat(), fetch(), heartbeat())
	c.expect(1)
	c.expectClosed()
}

func TestAHandlersPanicCostsItsConnectionOnly(t *testing.T) {
	h := open(t, Limits{}, api.Row{Key: 12, Max: 4, Handle: func(*api.Broker, *api.Request) api.Result { panic("bug") }})
	good, bad := h.dial(), h.dial()
	bad.send(heartbeat())
	bad.expectClosed()
	good.send(apiVersions())
	good.expect(1)
	if h.log.count("bug: a request panicked") != 1 {
		t.Error("the panic was not logged")
	}
}

func TestAProduceWithoutAnAnswerIsSilent(t *testing.T) {
	c := open(t, Limits{}, api.Row{Key: 0, Max: 9, Aliases: true, Overlaps: true, Handle: func(*api.Broker, *api.Request) api.Result {
		return api.Result{None: true}
	}}).dial()
	c.send(produce(1), produce(1), apiVersions())
	c.expect(3)
}

func TestAHandFramedAnswerStandsBehindItsHeader(t *testing.T) {
	c := open(t, Limits{}, api.Row{Key: 1, Max: 12, Handle: func(_ *api.Broker, r *api.Request) api.Result {
		return api.Result{Encode: func(b *wire.Buffer) error {
			copy(b.Extend(3_000_000), "body")
			return nil
		}}
	}}).dial()
	request := kmsg.NewPtrFetchRequest()
	request.Version = 12
	c.send(request)
	id, body := c.receive()
	if id != 1 || len(body) != 3_000_001 || string(body[1:5]) != "body" {
		t.Errorf("answer %d of %d bytes: %q", id, len(body), body[:5])
	}
}

func TestAVanishedClientEndsWhatItWaitedFor(t *testing.T) {
	g := newGate()
	h := open(t, Limits{}, g.row(0, 9, true))
	c := h.dial()
	c.send(produce(1))
	<-g.arrived
	tcp := c.socket.(*net.TCPConn)
	_ = tcp.SetLinger(0) // A reset.
	_ = c.socket.Close()
	<-g.cut
}

func TestAnOrderlyStopAnswersWhatIsParkedAndClosesIdleConnections(t *testing.T) {
	g := newGate()
	h := open(t, Limits{}, g.row(1, 4, false), g.row(0, 9, true))
	idle, polling, producing := h.dial(), h.dial(), h.dial()
	idle.send(apiVersions())
	idle.expect(1)
	polling.send(fetch())
	producing.send(produce(1), produce(1))
	for range 3 {
		<-g.arrived
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := h.server.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	polling.expect(1)
	producing.expect(1, 2)
	for _, c := range []*client{idle, polling, producing} {
		c.expectClosed()
	}
}

func TestAStopThatTakesTooLongIsForced(t *testing.T) {
	entered := make(chan struct{})
	h := prepare(t, Limits{}, api.Row{Key: 12, Max: 4, Handle: func(_ *api.Broker, r *api.Request) api.Result {
		return api.Result{Pending: &api.Pending{Finish: func() api.Result {
			close(entered)
			<-r.Ctx.Done()
			return api.Result{Response: r.Body.ResponseKind()}
		}}}
	}})
	if err := h.server.Listen(); err != nil {
		t.Fatal(err)
	}
	h.server.Serve()
	c := h.dial()
	c.send(heartbeat())
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := h.server.Shutdown(ctx); !errors.Is(err, errForced) {
		t.Errorf("the stop says %v", err)
	}
}

func TestEveryServedVersionHasAKnownShape(t *testing.T) {
	for _, row := range api.Table() {
		for version := row.Min; version <= row.Max; version++ {
			if _, err := wire.Verify(row.Key, version, nil); errors.Is(err, wire.ErrUnknownRequest) {
				t.Errorf("%s version %d is advertised and would be refused", kmsg.NameForKey(row.Key), version)
			}
		}
	}
}
