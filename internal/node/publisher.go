package node

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// publisher brings committed metadata to the broker: first to its replicas and coordinators, and then, when these have
// acted, to everybody who reads the image. So a client that was told of a topic finds it here.
type publisher struct {
	act func(*meta.Image, meta.Delta) // one call at a time, in order

	image atomic.Pointer[published]
	// next is the image that act is being brought in line with, and image once it is.
	next atomic.Pointer[meta.Image]

	mu     sync.Mutex
	wake   sync.Cond
	newest published  // what was received last
	delta  meta.Delta // from the published image to the newest, if only one batch lies between
	behind int        // batches received since the published image
	held   bool       // nothing is published yet
	closed bool
	done   chan struct{}
}

// published is an image and the metadata offset that it goes up to.
type published struct {
	image *meta.Image
	end   int64
}

func newPublisher(act func(*meta.Image, meta.Delta)) *publisher {
	p := &publisher{act: act, held: true, done: make(chan struct{})}
	p.wake.L = &p.mu
	p.image.Store(&published{image: meta.Empty()})
	p.next.Store(meta.Empty())
	go p.run()
	return p
}

// current is the image that this broker acts on.
func (p *publisher) current() *meta.Image { return p.image.Load().image }

// receive takes the image that a committed batch made, and what it changed. It never waits: images share what they have
// in common, and those that nobody came to publish are let go.
func (p *publisher) receive(image *meta.Image, delta meta.Delta, end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.newest, p.delta = published{image, end}, delta
	p.behind++
	p.wake.Broadcast()
}

// release begins publishing: what was committed before this process started has been received. An image from the middle
// of that would know too little: the broker would set aside, as unknown, the logs of topics that come later.
func (p *publisher) release() {
	p.mu.Lock()
	p.held = false
	p.wake.Broadcast()
	p.mu.Unlock()
}

// await waits until what was received when it was called is published.
func (p *publisher) await() *meta.Image {
	p.mu.Lock()
	defer p.mu.Unlock()
	target := p.newest.end
	for p.image.Load().end < target && !p.closed {
		p.wake.Wait()
	}
	return p.current()
}

// awaitImage waits until the image is as wanted, or ctx ends.
func (p *publisher) awaitImage(ctx context.Context, wanted func(*meta.Image) bool) error {
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		p.wake.Broadcast()
		p.mu.Unlock()
	})
	defer stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for !wanted(p.current()) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.closed {
			return errStopping
		}
		p.wake.Wait()
	}
	return nil
}

var errStopping = errors.New("the broker is stopping")

func (p *publisher) run() {
	defer close(p.done)
	for {
		p.mu.Lock()
		for (p.held || p.behind == 0) && !p.closed {
			p.wake.Wait()
		}
		next, delta, one := p.newest, p.delta, p.behind == 1
		p.behind = 0
		closed := p.closed
		p.mu.Unlock()
		if closed {
			return
		}
		before := p.current()
		if !one || delta.Old != before {
			delta = meta.Diff(before, next.image)
		}
		p.next.Store(next.image)
		p.act(next.image, delta)
		p.mu.Lock()
		p.image.Store(&next)
		p.wake.Broadcast()
		p.mu.Unlock()
	}
}

// close stops publishing. What was not published is in the log.
func (p *publisher) close() {
	p.mu.Lock()
	p.closed = true
	p.wake.Broadcast()
	p.mu.Unlock()
	<-p.done
}
