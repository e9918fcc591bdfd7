//go:build unix

package server

import (
	"errors"
	"io"
	"syscall"
)

// flushesWhenDry says that read writes what is held back when the socket has nothing to read: then the client may wait
// for it. While there is more to read, answers leave together.
func (c *conn) flushesWhenDry() bool { return c.raw != nil }

// read reads once. The buffer is taken when the socket is readable, not before.
func (c *conn) read() (int, error) {
	in := &c.incoming
	if c.raw == nil {
		in.readInto(c.socket.Read)
		return in.n, in.err
	}
	if c.whenReadable == nil {
		c.whenReadable = c.tryRead // Once, as it escapes.
	}
	if err := c.raw.Read(c.whenReadable); err != nil {
		return 0, err
	}
	return in.n, in.err
}

// tryRead reads what a readable socket has; false asks to be called again when it is readable.
func (c *conn) tryRead(fd uintptr) bool {
	in := &c.incoming
	in.readInto(func(p []byte) (int, error) { return readDescriptor(int(fd), p) })
	if !errors.Is(in.err, syscall.EAGAIN) {
		in.markWater(int(fd), in.whileServing())
		return true
	}
	in.markWater(int(fd), in.whileWaiting())
	// What comes in while this writes is not missed: the wait that follows ends at once.
	if err := c.flushUnlessWriting(); err != nil {
		in.err = err
		return true
	}
	return false
}

// Bulk arrives in pieces, and each would wake a thread: to find that the rest of the frame is still missing, or that the
// connection is busy with the frame before. So the socket's low-water mark follows what a wake-up would be good for.
const (
	bulkFrame    = 32 << 10
	lowestMark   = 1
	highestMark  = 1 << 20 // the system makes the socket's buffer large enough for it
	framesAhead  = 4       // what a client may send while one of its frames is served
	worthWaiting = 16 << 10
)

// whileServing is the mark while nobody waits for the socket.
func (in *incoming) whileServing() int {
	if frame := max(in.last, in.want); frame >= bulkFrame {
		return framesAhead * min(frame, highestMark)
	}
	return lowestMark
}

// whileWaiting is the mark for the rest of a frame. A slow one is read on at the latest when the read's deadline passes.
func (in *incoming) whileWaiting() int {
	if in.buffer == nil || in.want == 0 {
		return lowestMark
	}
	missing := min(in.want-len(in.bytes()), cap(in.buffer.B)-len(in.buffer.B), highestMark)
	if missing < worthWaiting {
		return lowestMark
	}
	return missing
}

func (in *incoming) markWater(fd, n int) {
	if in.mark == 0 {
		in.mark = lowestMark
	}
	if n != in.mark && setLowWater(fd, n) {
		in.mark = n
	}
}

func readDescriptor(fd int, p []byte) (int, error) {
	for {
		n, err := readNow(fd, p)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// writeSome writes once, when the socket takes something.
func (c *conn) writeSome(p []byte) (int, error) {
	if c.raw == nil {
		return c.socket.Write(p)
	}
	if c.whenWritable == nil {
		c.whenWritable = c.outgoing.tryWrite // Once, as it escapes.
	}
	c.outgoing.p = p
	err := c.raw.Write(c.whenWritable)
	c.outgoing.p = nil
	if err != nil {
		return 0, err
	}
	return c.outgoing.n, c.outgoing.err
}

// outgoing is one write: what is written, and the result.
type outgoing struct {
	p   []byte
	n   int
	err error
}

// tryWrite writes what a socket takes; false asks to be called again when it takes more.
func (o *outgoing) tryWrite(fd uintptr) bool {
	for {
		o.n, o.err = writeNow(int(fd), o.p)
		if !errors.Is(o.err, syscall.EINTR) {
			return !errors.Is(o.err, syscall.EAGAIN)
		}
	}
}

// gone reports whether the peer has closed or reset the connection, without taking bytes from it.
func (c *conn) gone() bool {
	if c.raw == nil {
		return false
	}
	over := false
	err := c.raw.Control(func(fd uintptr) {
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		over = err == nil && n == 0 ||
			err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
	})
	return err != nil || over
}
