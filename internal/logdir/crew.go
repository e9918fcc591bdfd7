package logdir

import "time"

// start begins to clean, with as many threads as configured.
func (c *cleaner) start() {
	if c.d.o.Cleaner.Disabled {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fill()
}

// fill starts the threads that are missing. c.mu is held.
func (c *cleaner) fill() {
	for number := range c.o.Threads {
		if _, runs := c.crew[number]; !runs {
			c.crew[number] = struct{}{}
			c.d.tasks.Go(func() { c.run(number) })
		}
	}
}

// reconfigure goes on with other settings: the rate holds at once, also for what is under way; threads that are too many
// end, and memory is shared anew, with the next log. Whoever sleeps looks at once, as Kafka's new threads do. It must not
// be called after Close has begun.
func (c *cleaner) reconfigure(o CleanerOptions) {
	o.setDefaults()
	c.mu.Lock()
	defer c.mu.Unlock()
	o.Disabled = c.o.Disabled
	if o == c.o {
		return
	}
	c.o = o
	c.rate.set(o.BytesPerSecond)
	close(c.changed)
	c.changed = make(chan struct{})
	if len(c.crew) > 0 { // it was started
		c.fill()
	}
}

// run is one thread's life: until Close, or until the crew has become smaller than its number.
func (c *cleaner) run(number int) {
	for {
		for c.wanted(number) && c.cleanDirtiest() {
		}
		if !c.pause(number) {
			return
		}
	}
}

func (c *cleaner) wanted(number int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return number < c.o.Threads
}

// pause waits for the next look and reports whether there is to be one: a backoff after there is something to look at, or
// when the settings change.
func (c *cleaner) pause(number int) bool {
	c.mu.Lock()
	if number >= c.o.Threads {
		delete(c.crew, number)
		c.mu.Unlock()
		return false
	}
	backoff, idle, dirty, changed := c.o.Backoff, len(c.candidates) == 0, c.dirty, c.changed
	c.mu.Unlock()
	if idle {
		select {
		case <-c.d.ctx.Done():
			return false
		case <-changed:
			return true
		case <-dirty:
		}
	}
	timer := time.NewTimer(backoff)
	defer timer.Stop()
	select {
	case <-c.d.ctx.Done():
		return false
	case <-changed:
	case <-timer.C:
	}
	return true
}
