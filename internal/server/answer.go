package server

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/barnabas-mq/barnabas/internal/api"
	"github.com/barnabas-mq/barnabas/internal/wire"
)

const (
	// heldLimit is how many bytes of answers may be held back while further requests are there, heldForLimit how many
	// bytes of requests they may answer: a write for each costs more than a small request does, but the client is not
	// to run out of requests in flight while the broker works on those that it has.
	heldLimit    = 64 << 10
	heldForLimit = 256 << 10
	// answerSize is the buffer that small answers share.
	answerSize = 1 << 10

	// freeAnswer is how much memory an answer may hold without being counted against queued.max.request.bytes.
	freeAnswer = 256 << 10

	// writePiece is how much is written under one deadline.
	writePiece = 1 << 20
	// writeTick is how long a piece may make no progress while others wait for memory, writeLimit in general.
	writeTick  = 5 * time.Second
	writeLimit = 30 * time.Second

	// awayCheck is how often a connection that waits looks whether its client is still there.
	awayCheck = 5 * time.Second
)

// answer is a request with what became of it.
type answer struct {
	request api.Request
	result  api.Result
	in      int  // The request's bytes.
	wasCut  bool // Guarded by the connection's mu.
}

// await waits for a pending answer on the connection's goroutine. Nothing is held back meanwhile.
func (c *conn) await(a *answer) error {
	if err := c.flush(); err != nil {
		a.result = a.result.Pending.Finish()
		return err
	}
	pending := a.result.Pending
	if pending.Done != nil {
		c.mu.Lock()
		c.waitingOn = a
		c.mu.Unlock()
		c.waitFor(a)
		c.mu.Lock()
		c.waitingOn = nil
		c.mu.Unlock()
	}
	a.result = pending.Finish()
	return nil
}

// waitFor waits until a is done, and hurries it up when the server stops or the client is gone.
func (c *conn) waitFor(a *answer) {
	done := a.result.Pending.Done
	if c.isOver() {
		c.cutAll()
	}
	look := time.NewTicker(awayCheck)
	defer look.Stop()
	ended := c.life.Done()
	for {
		select {
		case <-done:
			return
		case <-ended:
			ended = nil
			c.cutAll()
		case <-look.C:
			if c.gone() {
				c.end()
			}
		}
	}
}

// cutAll asks everything that is pending to be done soon, each once. Any goroutine may call it.
func (c *conn) cutAll() {
	var cuts []func()
	c.mu.Lock()
	all := c.parked
	if c.waitingOn != nil {
		all = append(all[:len(all):len(all)], c.waitingOn)
	}
	for _, a := range all {
		if p := a.result.Pending; p != nil && p.Cut != nil && !a.wasCut {
			a.wasCut = true
			cuts = append(cuts, p.Cut)
		}
	}
	c.mu.Unlock()
	for _, cut := range cuts {
		cut()
	}
}

// answer encodes a finished result behind what is held back. The caller has the right to write.
func (c *conn) answer(a *answer) error {
	served := Served{
		Key: a.request.Key, Version: a.request.Version, Listener: c.about.Listener, ClientID: a.request.Client(), In: a.in,
	}
	err := a.result.Close
	if err == nil && !a.result.None {
		served.Out, err = c.encode(a)
		c.heldFor += a.in
	}
	served.Failed = err != nil
	served.Errors = c.server.errorsIn(&a.result)
	served.Duration = time.Since(a.request.Received)
	c.server.observer.Served(served)
	if err != nil {
		if failed := c.flush(); failed != nil {
			return failed
		}
		return err
	}
	if c.out != nil && (c.out.Len() >= heldLimit || c.heldFor >= heldForLimit) {
		return c.flush()
	}
	return nil
}

// errorsIn counts the error codes in an answer that is encoded.
func (s *Server) errorsIn(result *api.Result) api.ErrorCounts {
	switch {
	case result.Errors != nil:
		return *result.Errors
	case result.Response != nil:
		return s.errors.Count(result.Response)
	}
	return nil
}

func (c *conn) encode(a *answer) (int, error) {
	if c.out == nil {
		c.out = wire.GetBuffer(min(max(c.lastOut, answerSize), heldLimit))
	}
	start := c.out.Len()
	wire.BeginResponse(c.out, a.request.Key, a.request.Version, a.request.CorrelationID)
	var err error
	switch {
	case a.result.Encode != nil:
		err = a.result.Encode(c.out)
	case a.result.Response != nil:
		c.out.AppendFunc(a.result.Response.AppendTo)
	default:
		panic(fmt.Sprintf("server: api key %d was handled without a result", a.request.Key))
	}
	if err == nil {
		err = wire.EndResponse(c.out, start)
	}
	if err != nil {
		c.out.B = c.out.B[:start] // The answers before this one are whole.
		return 0, err
	}
	return c.out.Len() - start, nil
}

// flush writes what is held back. The caller has the right to write.
func (c *conn) flush() error {
	if c.out == nil {
		return nil
	}
	c.lastOut, c.heldFor = c.out.Len(), 0
	held := int64(cap(c.out.B))
	if held <= freeAnswer {
		held = 0
	}
	c.server.budget.charge(held)
	err := c.write(c.out.B)
	c.server.budget.release(held, nil)
	c.out.Free()
	c.out = nil
	return err
}

// write writes all of p. A client that does not read costs its own connection: it is given up after writeLimit without
// progress, and sooner when others wait for the memory that its answers hold.
func (c *conn) write(p []byte) error {
	progress := time.Now()
	for len(p) > 0 {
		if now := time.Now(); c.writeUntil.Sub(now) < writeTick/2 {
			c.writeUntil = now.Add(writeTick)
			_ = c.socket.SetWriteDeadline(c.writeUntil)
		}
		n, err := c.writeSome(p[:min(len(p), writePiece)])
		p = p[n:]
		if n > 0 {
			progress = time.Now()
		}
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("%w: %w", errEnded, err)
		case c.server.budget.pressed() || time.Since(progress) >= writeLimit:
			return fmt.Errorf("client does not read its answers: %w", err)
		}
	}
	return nil
}

// release frees the buffers at the end of the connection.
func (c *conn) release() {
	c.giveBack()
	c.freeIncoming()
	if c.out != nil && !c.isWriting() {
		c.out.Free()
		c.out = nil
	}
}
