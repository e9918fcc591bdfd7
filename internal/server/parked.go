package server

// parkedLimit bounds the answers of one connection that wait in order; a client that pipelines further waits itself.
const parkedLimit = 128

// park puts an answer in line behind those that are parked, and starts the goroutine that waits for them and writes
// them if it does not run. That goroutine then has the right to write, and c.out, until it ends.
func (c *conn) park(a *answer) error {
	if !c.isWriting() {
		if err := c.flush(); err != nil {
			a.finish()
			return err
		}
	}
	c.mu.Lock()
	for len(c.parked) >= parkedLimit {
		c.changed.Wait()
	}
	c.parked = append(c.parked, a)
	if !c.writing {
		c.writing = true
		c.server.wait.Go(c.writeParked)
	}
	over, err := c.draining, c.failed
	c.mu.Unlock()
	if over {
		c.cutAll() // What was asked for before this one was in line.
	}
	return err
}

// finish lets go of what a pending answer holds, without an answer.
func (a *answer) finish() {
	if a.result.Pending != nil {
		a.result = a.result.Pending.Finish()
	}
}

// writeParked finishes and writes what is parked, in order, until nothing is. Answers that are done together leave
// together.
func (c *conn) writeParked() {
	for {
		a := c.firstParked()
		if a == nil {
			return
		}
		c.fail(c.finishParked(a))
		c.mu.Lock()
		c.parked = c.parked[1:]
		c.changed.Broadcast()
		c.mu.Unlock()
	}
}

// finishParked waits for the first in line and answers it.
func (c *conn) finishParked(a *answer) (err error) {
	defer c.rescue(&err)
	if p := a.result.Pending; p != nil {
		select {
		case <-p.Done:
		default:
			c.fail(c.flush())
			<-p.Done
		}
		result := p.Finish()
		c.mu.Lock()
		a.result = result
		c.mu.Unlock()
	}
	if c.hasFailed() {
		return nil
	}
	return c.answer(a)
}

// firstParked returns the next in line. When there is none it flushes, and gives the right to write back.
func (c *conn) firstParked() *answer {
	for {
		c.mu.Lock()
		if len(c.parked) > 0 {
			a := c.parked[0]
			c.mu.Unlock()
			return a
		}
		if c.out == nil || c.failed != nil {
			c.parked = nil
			c.writing = false
			c.changed.Broadcast()
			c.mu.Unlock()
			return nil
		}
		c.mu.Unlock()
		c.fail(c.flush())
	}
}

// fail notes why nothing more can be written, and ends the reading.
func (c *conn) fail(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	if c.failed == nil {
		c.failed = err
	}
	c.mu.Unlock()
	_ = c.socket.SetReadDeadline(past)
}

func (c *conn) hasFailed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed != nil
}

func (c *conn) isWriting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writing
}

// settle waits until everything that is parked is written; then this goroutine has the right to write.
func (c *conn) settle() error {
	c.mu.Lock()
	for c.writing {
		c.changed.Wait()
	}
	err := c.failed
	c.mu.Unlock()
	return err
}

// flushUnlessWriting writes what is held back, if that is this goroutine's to do.
func (c *conn) flushUnlessWriting() error {
	if c.isWriting() {
		return nil
	}
	return c.flush()
}

// flushAhead writes what is held back if the frame that has begun is much work: who asked for little before it must not
// wait until a large append is received and on the disk.
func (c *conn) flushAhead() error {
	if c.incoming.want <= heldLimit || c.isWriting() || c.heldFor+c.incoming.want <= heldForLimit {
		return nil
	}
	return c.flush()
}

// letGo ends what is still parked once nobody waits for the answers any more.
func (c *conn) letGo() {
	c.cutAll()
	_ = c.settle()
	if c.out != nil {
		c.out.Free()
		c.out = nil
	}
}
