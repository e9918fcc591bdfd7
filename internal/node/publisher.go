package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// maxUnpublished bounds the committed batches that wait to be published. Whoever commits more waits: metadata that its
// broker cannot keep up with must not fill the memory.
const maxUnpublished = 10_000

// publisher brings committed metadata to the broker: first to its replicas and coordinators, and then, when these have
// acted, to everybody who reads the image. So a client that was told of a topic finds it here.
type publisher struct {
	act  func(*meta.Image, meta.Delta) // one call at a time, in order
	fail func(error)

	image atomic.Pointer[published]
	// next is the image that act is being brought in line with, and image once it is.
	next atomic.Pointer[meta.Image]

	mu       sync.Mutex
	wake     sync.Cond
	waiting  []committed
	received int64 // the offset behind the newest batch received
	held     bool  // nothing is published yet
	closed   bool
	done     chan struct{}
}

// published is an image and the metadata offset that it goes up to.
type published struct {
	image *meta.Image
	end   int64
}

// committed is a batch of records and the offset behind it.
type committed struct {
	records []meta.Record
	end     int64
}

func newPublisher(act func(*meta.Image, meta.Delta), fail func(error)) *publisher {
	p := &publisher{act: act, fail: fail, held: true, done: make(chan struct{})}
	p.wake.L = &p.mu
	p.image.Store(&published{image: meta.Empty()})
	p.next.Store(meta.Empty())
	go p.run()
	return p
}

// current is the image that this broker acts on.
func (p *publisher) current() *meta.Image { return p.image.Load().image }

// receive takes a committed batch.
func (p *publisher) receive(records []meta.Record, end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.waiting) >= maxUnpublished && !p.held && !p.closed {
		p.wake.Wait()
	}
	p.waiting = append(p.waiting, committed{records, end})
	p.received = end
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
	target := p.received
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
		for (p.held || len(p.waiting) == 0) && !p.closed {
			p.wake.Wait()
		}
		batches := p.waiting
		p.waiting = nil
		closed := p.closed
		p.mu.Unlock()
		if closed {
			return
		}
		if err := p.publish(batches); err != nil {
			p.fail(err)
			return
		}
	}
}

// publish replays batches and acts on the difference.
func (p *publisher) publish(batches []committed) error {
	edit := p.current().Edit()
	for _, b := range batches {
		for _, r := range b.records {
			if err := edit.Replay(r); err != nil {
				return fmt.Errorf("metadata before offset %d: %w", b.end, err)
			}
		}
	}
	image := edit.Image()
	p.next.Store(image)
	p.act(image, edit.Delta(image))
	p.mu.Lock()
	p.image.Store(&published{image, batches[len(batches)-1].end})
	p.wake.Broadcast()
	p.mu.Unlock()
	return nil
}

// close stops publishing. What waits is left: it is in the log.
func (p *publisher) close() {
	p.mu.Lock()
	p.closed = true
	p.wake.Broadcast()
	p.mu.Unlock()
	<-p.done
}
