package client

import (
	"context"
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/wire"
)

var (
	// ErrNoAddress is what a Peer answers while nobody knows where the node is.
	ErrNoAddress = errors.New("address is not known")
	// ErrClosed is what a closed Peer answers.
	ErrClosed = errors.New("closed")
)

// Peer keeps one connection to a node that may move: it dials when it is asked something and has no connection to where the
// node is now. It never asks again by itself: a request that broke may have been acted on.
type Peer struct {
	address func() (string, bool)
	o       Options

	mu      sync.Mutex // guards the rest
	conn    *Conn
	to      string // whom conn leads to
	dialing *dialing
	closed  bool
}

// dialing is a dial under way, which all who want the connection share.
type dialing struct {
	done   chan struct{}
	cancel context.CancelFunc
	conn   *Conn
	err    error
}

// NewPeer makes a Peer of the node that address finds. Options.Address is not used. Close ends it.
func NewPeer(address func() (string, bool), o Options) *Peer {
	return &Peer{address: address, o: o}
}

// Do is Conn.Do on the connection to the node, which is dialled if there is none.
func (p *Peer) Do(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	c, err := p.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return c.Do(ctx, req)
}

// DoPooled is Conn.DoPooled likewise.
func (p *Peer) DoPooled(ctx context.Context, req kmsg.Request) (kmsg.Response, *wire.Buffer, error) {
	c, err := p.Connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	return c.DoPooled(ctx, req)
}

// Connect gives the connection to where the node is now.
func (p *Peer) Connect(ctx context.Context) (*Conn, error) {
	address, ok := p.address()
	if !ok {
		return nil, ErrNoAddress
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	if c := p.usable(address); c != nil {
		p.mu.Unlock()
		return c, nil
	}
	if p.dialing == nil || p.to != address {
		p.dial(address)
	}
	d := p.dialing
	p.mu.Unlock()
	select {
	case <-d.done:
		return d.conn, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// usable is the connection if it leads to the address and has not ended. The caller holds mu.
func (p *Peer) usable(address string) *Conn {
	if p.conn == nil {
		return nil
	}
	select {
	case <-p.conn.Done():
	default:
		if p.to == address {
			return p.conn
		}
		p.conn.Close()
	}
	p.conn = nil
	return nil
}

// dial begins a dial in the place of any other. The caller holds mu.
func (p *Peer) dial(address string) {
	if p.dialing != nil {
		p.dialing.cancel()
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &dialing{done: make(chan struct{}), cancel: cancel}
	p.dialing, p.to = d, address
	o := p.o
	o.Address = address
	go func() {
		defer cancel()
		d.conn, d.err = Dial(ctx, o)
		p.mu.Lock()
		if p.dialing == d {
			p.dialing, p.conn = nil, d.conn
		} else if d.conn != nil {
			d.conn.Close() // closed, or moved, meanwhile
			d.conn, d.err = nil, ErrClosed
		}
		p.mu.Unlock()
		close(d.done)
	}()
}

// Close ends the connection: whoever waits gets an error.
func (p *Peer) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.dialing != nil {
		p.dialing.cancel()
		p.dialing = nil
	}
	if p.conn != nil {
		p.conn.Close()
	}
}
