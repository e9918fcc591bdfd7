//go:build suite

package clients

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A proxy stands between clients and the broker and cuts connections: what was sent may have been taken in, and its
// answer is lost.
type proxy struct {
	address string
	target  atomic.Pointer[string]
	cuts    atomic.Int32 // how many are still to come
	made    atomic.Int32
}

// cutAfterBytes is about how much a connection carries to the broker before it is cut: more than any one request, or it
// would never get through.
const cutAfterBytes = 500_000

func startProxy(t *testing.T) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{address: l.Addr().String()}
	var connections sync.WaitGroup
	t.Cleanup(connections.Wait)
	t.Cleanup(func() { l.Close() })
	connections.Go(func() {
		random := rand.New(rand.NewPCG(5, 8))
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			budget := cutAfterBytes/2 + random.Int64N(cutAfterBytes)
			connections.Go(func() { p.carry(client, budget) })
		}
	})
	return p
}

// answerLossMs is how long a connection goes on towards the broker when its answers are dropped already.
const answerLossMs = 40

// carry carries one connection until either side ends it, or budget bytes went to the broker and a cut is due. Before it is
// cut, requests still get through whole while their answers do not: that is what makes a producer send again what is there.
func (p *proxy) carry(client net.Conn, budget int64) {
	defer client.Close()
	broker, err := net.Dial("tcp", *p.target.Load())
	if err != nil {
		return
	}
	defer broker.Close()
	var deaf atomic.Bool
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := broker.Read(buffer)
			if !deaf.Load() && n > 0 {
				if _, failed := client.Write(buffer[:n]); failed != nil {
					err = failed
				}
			}
			if err != nil {
				client.Close()
				return
			}
		}
	}()
	if p.cuts.Load() > 0 {
		io.CopyN(broker, client, budget)
		if p.cuts.Add(-1) >= 0 {
			p.made.Add(1)
			deaf.Store(true)
			client.SetReadDeadline(time.Now().Add(answerLossMs * time.Millisecond))
		}
	}
	io.Copy(broker, client)
}
