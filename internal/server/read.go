package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/barnabas-mq/barnabas/internal/wire"
)

const (
	// leastRead and mostRead bound the buffer that a readable connection takes. Between them it is as large as the
	// connection's last requests, so that bulk arrives in one piece, without being copied to where there is room for
	// the rest, and small clients stay small. While memory is short it is the least.
	leastRead = 4 << 10
	mostRead  = 4 << 20

	// unprovenFrame is what a connection may claim ahead of its bytes. A larger frame gets its memory as its bytes
	// come in, doubling, unless the connection has sent one as large before: else ten connections that promise
	// 100 MB each could take a gigabyte with 40 bytes.
	unprovenFrame = 1 << 20

	// decodedForFree is how much memory decoding may take without being counted against queued.max.request.bytes.
	decodedForFree = 256 << 10

	// stallTick is how long the rest of a frame may take to begin to arrive while others wait for memory, and
	// stallLimit in general.
	stallTick  = 2 * time.Second
	stallLimit = 30 * time.Second
)

// incoming is what was read and not yet served.
type incoming struct {
	buffer *wire.Buffer // Nil while there is nothing: an idle connection holds no memory.
	at     int          // Where the next frame begins.
	proven int          // The size of the largest frame that this connection has sent.
	want   int          // The size of the frame that has begun, with its length; 0 if none has.
	taken  int64        // What this frame has of the server's budget.
	began  time.Time    // When it was begun.

	deadline time.Time // The socket's read deadline.
	active   time.Time // When bytes came last.
	last     int       // The size of the last frames, the latest ones before all: a guess at the next one's.

	mark int // The socket's low-water mark; 0 before it was ever set.

	// The result of tryRead.
	n   int
	err error
}

func (in *incoming) bytes() []byte {
	if in.buffer == nil {
		return nil
	}
	return in.buffer.B[in.at:]
}

func (in *incoming) empty() bool { return len(in.bytes()) == 0 }

// next returns the next frame if it is there whole. It is valid until consume.
func (c *conn) next() (frame []byte, whole bool, err error) {
	in := &c.incoming
	have := in.bytes()
	if len(have) < wire.FramePrefix {
		return nil, false, nil
	}
	if in.want == 0 {
		size, err := wire.FrameSize(have, c.server.limits.Load().RequestMaxBytes)
		if err != nil {
			return nil, false, err
		}
		in.want, in.began = size+wire.FramePrefix, in.active
		if err := c.take(int64(min(in.want, max(unprovenFrame, in.proven)))); err != nil {
			return nil, false, err
		}
	}
	if len(have) < in.want {
		return nil, false, nil
	}
	return have[wire.FramePrefix:in.want], true, nil
}

// take takes bytes from the server's budget for the frame at hand. Nothing is read meanwhile, and answers do not wait
// with it.
func (c *conn) take(n int64) error {
	var holder *incoming
	if c.incoming.taken > 0 {
		holder = &c.incoming
	}
	if !c.server.budget.try(n, holder) {
		if err := c.flushUnlessWriting(); err != nil {
			return err
		}
		if err := c.server.budget.acquire(c.life, n, holder); err != nil {
			return fmt.Errorf("%w: waiting for queued.max.request.bytes: %w", errEnded, err)
		}
	}
	c.incoming.taken += n
	return nil
}

// consume is done with the frame that next returned: its handler has returned.
func (c *conn) consume() {
	in := &c.incoming
	in.at += in.want
	in.last, in.proven, in.want = max(in.want, in.last/2), max(in.proven, in.want), 0
	c.giveBack()
	if in.empty() {
		c.freeIncoming()
	}
}

func (c *conn) giveBack() {
	if c.incoming.taken > 0 {
		c.server.budget.release(c.incoming.taken, &c.incoming)
		c.incoming.taken = 0
	}
}

func (c *conn) freeIncoming() {
	if c.incoming.buffer != nil {
		c.incoming.buffer.Free()
		c.incoming.buffer = nil
	}
	c.incoming.at = 0
}

// fill waits until bytes come and reads what is there, once. Between frames it holds no buffer while it waits, if the
// system lets it.
func (c *conn) fill() error {
	if err := c.makeRoom(); err != nil {
		return err
	}
	in := &c.incoming
	started := time.Now()
	for {
		c.setReadDeadline()
		if c.isOver() {
			// The deadline may have overwritten the one that said so.
			return os.ErrDeadlineExceeded
		}
		n, err := c.read()
		if n > 0 {
			in.active = time.Now()
			if in.want > 0 && in.active.Sub(in.began) > stallLimit && c.server.budget.pressed() {
				return fmt.Errorf("frame of %d bytes comes in too slowly: %w", in.want, errEnded)
			}
			return nil
		}
		switch {
		case err == nil:
			return io.ErrNoProgress
		case !errors.Is(err, os.ErrDeadlineExceeded) || c.isOver():
			return err
		case in.buffer == nil && time.Since(in.active) >= c.server.limits.Load().idle():
			return err
		case in.buffer != nil && (c.server.budget.pressed() || time.Since(started) >= stallLimit):
			return err
		}
	}
}

// setReadDeadline bounds the next read. An idle connection's deadline is moved only when it has become inexact, as
// moving it for each request costs more than parsing one.
func (c *conn) setReadDeadline() {
	in, now := &c.incoming, time.Now()
	if in.active.IsZero() {
		in.active = now
	}
	limit := stallTick
	if in.empty() {
		idle := c.server.limits.Load().idle()
		if left := in.deadline.Sub(now); left > idle-idle/8 && left <= idle {
			return
		}
		limit = max(idle-now.Sub(in.active), idle/8)
	}
	in.deadline = now.Add(limit)
	_ = c.socket.SetReadDeadline(in.deadline)
}

// makeRoom sees to it that the rest of the frame that has begun fits behind what is there.
func (c *conn) makeRoom() error {
	in := &c.incoming
	if in.empty() {
		c.freeIncoming()
		if c.server.budget.pressed() {
			in.last = 0
		}
		return nil
	}
	have := len(in.bytes())
	need := max(in.want, leastRead)
	if allowed := int(in.taken); in.want > allowed {
		if have >= allowed {
			if err := c.take(int64(min(in.want-allowed, allowed))); err != nil {
				return err
			}
		}
		need = int(in.taken)
	}
	switch {
	case in.at+need <= cap(in.buffer.B):
	case need <= cap(in.buffer.B):
		copy(in.buffer.B, in.bytes())
		in.buffer.B = in.buffer.B[:have]
		in.at = 0
	default:
		larger := wire.GetBuffer(need)
		larger.B = append(larger.B, in.bytes()...)
		c.freeIncoming()
		in.buffer = larger
	}
	return nil
}

// readSize is how large a buffer an idle connection takes when it becomes readable.
func (in *incoming) readSize() int { return min(max(in.last, leastRead), mostRead) }

// readInto reads through read into a buffer that is taken only now if there is none.
func (in *incoming) readInto(read func([]byte) (int, error)) {
	if in.buffer == nil {
		in.buffer = wire.GetBuffer(in.readSize())
	}
	free := in.buffer.B[len(in.buffer.B):cap(in.buffer.B)]
	in.n, in.err = read(free)
	if in.n > 0 {
		in.buffer.B = in.buffer.B[:len(in.buffer.B)+in.n]
		return
	}
	if len(in.buffer.B) == 0 {
		in.buffer.Free()
		in.buffer = nil
	}
}
