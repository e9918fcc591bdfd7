package node

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/controller"
	"github.com/barnabas-mq/barnabas/internal/machine"
)

const (
	// probeTimeout bounds the look at a broker whose connection ended: one that takes longer is not known to be gone.
	probeTimeout = time.Second
	// aliveAfter is how long a dying process does not keep a connection.
	aliveAfter = 100 * time.Millisecond
)

// watched is the brokers whose heartbeats come by connections to this node. When such a connection ends, the broker may be
// gone, and the session timeout is a long time to wait for that.
type watched struct {
	mu sync.Mutex // guards by
	by map[int32]watch
}

// watch is the connection that a broker's last heartbeat came by, and the epoch that it named: the broker may have registered anew
// since the first one.
type watch struct {
	life  context.Context //nolint:containedctx // The connection's own life.
	epoch int64
}

// saw is called with each heartbeat. ended is called once that broker's connection is no more, unless it has another one by then,
// with the epoch that was heard last. What a process of an earlier epoch still sends counts for nothing.
func (w *watched) saw(life context.Context, broker int32, epoch int64, ended func(epoch int64)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by == nil {
		w.by = make(map[int32]watch)
	}
	before, known := w.by[broker]
	if known && before.epoch > epoch {
		return
	}
	w.by[broker] = watch{life, epoch}
	if known && before.life == life {
		return
	}
	context.AfterFunc(life, func() {
		w.mu.Lock()
		last := w.by[broker]
		if last.life == life {
			delete(w.by, broker)
		}
		w.mu.Unlock()
		if last.life == life {
			ended(last.epoch)
		}
	})
}

// watch is called with each heartbeat, and the life of the connection that it came by.
func (c *activeController) watch(life context.Context, broker int32, epoch int64) {
	c.watched.saw(life, broker, epoch, func(epoch int64) {
		if runtime := c.runtime.Load(); runtime != nil {
			c.lookAfter(runtime, broker, epoch)
		}
	})
}

// gone says that a broker's process is no more: its listener refuses.
func (c *activeController) gone(broker int32) bool {
	address, ok := c.node.interBrokerAddress(broker)
	return ok && !c.closed.Load() && refuses(address)
}

// refuses says that nobody listens at an address. A process that dies closes its listener as one of many things: a connection
// that still got through ends with it, and another look tells.
func refuses(address string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	for ctx.Err() == nil {
		var dialer net.Dialer
		socket, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return errors.Is(err, syscall.ECONNREFUSED)
		}
		_ = socket.SetReadDeadline(time.Now().Add(aliveAfter))
		_, err = socket.Read(make([]byte, 1)) // nobody speaks first but to end it
		_ = socket.Close()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
	}
	return false
}

// lookAround fences the brokers that are gone as this node begins to lead, and those that go before their first heartbeat comes here:
// no connection tells of them.
func (c *activeController) lookAround(runtime *controllerRuntime) {
	for b := range c.node.metadata.current().Brokers() {
		if !b.Fenced && b.ID != c.node.nodeID {
			go c.lookAfter(runtime, b.ID, b.Epoch)
		}
	}
}

// lookAfter looks at a broker that no connection tells of, again and again until it is gone, or heard of, or its session is over: a
// process that is dying may still accept, or reset, what comes first.
func (c *activeController) lookAfter(runtime *controllerRuntime, broker int32, epoch int64) {
	until := time.Now().Add(config.Millis(config.BrokerSessionTimeoutMs, c.node.live.values()))
	for c.runtime.Load() == runtime && !c.watched.has(broker) && time.Now().Before(until) {
		if c.gone(broker) {
			c.fence(broker, epoch)
			return
		}
		<-time.After(lookAgain)
	}
}

// lookAgain is the pause before a broker that was not heard of yet is looked at again.
const lookAgain = 50 * time.Millisecond

// has says that a connection with a broker's heartbeats is open.
func (w *watched) has(broker int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.by[broker]
	return ok
}

// fence takes a broker that is gone out of everything that it leads or is in sync with, in one decision.
func (c *activeController) fence(broker int32, epoch int64) {
	runtime := c.runtime.Load()
	if runtime == nil {
		return // whoever leads now gives it a session
	}
	c.node.logger.Warn("a broker is gone: its connection ended and its listener refuses", "broker", broker)
	err := runtime.Submit(func(s controller.State, now time.Time) machine.Decision[controller.State, decisionRecords] {
		return toMachine(s, controller.Fence(s, broker, epoch, c.env(now)), nil)
	})
	if err != nil {
		c.node.logger.Warn("a broker that is gone is fenced when its session ends", "broker", broker, "error", err)
	}
}
