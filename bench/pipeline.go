package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// pipeline sends the same request again and again over a connection, with a fixed number in flight.
type pipeline struct {
	conn  *conn
	frame []byte
	depth int
	check func(answer []byte) error
	took  latencies
}

// coalesceLimit is the size up to which several requests leave in one write.
const coalesceLimit = 4 << 10

// run sends until more says that it is enough, and takes all answers. It adds to took.
func (p *pipeline) run(ctx context.Context, more func(sent int) bool) error {
	sentAt := make([]time.Time, p.depth)
	first, sent, received := p.conn.next+1, 0, 0
	out := make([]byte, 0, p.depth*min(len(p.frame), coalesceLimit))
	for open := true; ; {
		out = out[:0]
		for open && sent-received < p.depth {
			if open = more(sent) && ctx.Err() == nil; !open {
				break
			}
			p.conn.number(p.frame)
			sentAt[sent%p.depth] = time.Now()
			sent++
			if len(p.frame) <= coalesceLimit {
				out = append(out, p.frame...)
			} else if err := p.conn.send(p.frame); err != nil {
				return err
			}
		}
		if len(out) > 0 {
			if err := p.conn.send(out); err != nil {
				return err
			}
		}
		if sent == received {
			return ctx.Err()
		}
		for again := true; again; again = received < sent && p.conn.buffered() {
			if err := p.receive(first+uint32(received), sentAt[received%p.depth]); err != nil {
				return fmt.Errorf("answer %d: %w", received, err)
			}
			received++
		}
	}
}

func (p *pipeline) receive(number uint32, sentAt time.Time) error {
	answer, err := p.conn.receive()
	if err != nil {
		return err
	}
	if got := binary.BigEndian.Uint32(answer); got != number {
		return fmt.Errorf("correlation id %d, not %d", got, number)
	}
	p.took = append(p.took, time.Since(sentAt))
	return p.check(answer)
}

// requests lets so many requests be sent.
func requests(n int) func(int) bool { return func(sent int) bool { return sent < n } }

// during lets requests be sent for some time.
func during(d time.Duration) func(int) bool {
	end := time.Now().Add(d)
	return func(int) bool { return time.Now().Before(end) }
}
