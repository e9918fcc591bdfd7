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

// carry carries one connection until either side ends it, or budget bytes went to the broker and a cut is due.
func (p *proxy) carry(client net.Conn, budget int64) {
	defer client.Close()
	broker, err := net.Dial("tcp", *p.target.Load())
	if err != nil {
		return
	}
	defer broker.Close()
	go func() {
		io.Copy(client, broker)
		client.Close()
	}()
	if p.cuts.Load() > 0 {
		io.CopyN(broker, client, budget)
		if p.cuts.Add(-1) >= 0 {
			p.made.Add(1)
			client.Close() // its answers are lost from here on, while the broker still takes in what it got
			_ = broker.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
			io.Copy(io.Discard, broker)
			return
		}
	}
	io.Copy(broker, client)
}
