package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// patience is how long a connection may stand still before the run has failed.
const patience = 2 * time.Minute

// conn is a connection to a broker that copies nothing more than once.
type conn struct {
	socket   net.Conn
	buffer   []byte
	from, to int // what was received and not yet taken
	next     uint32
}

func dial(ctx context.Context, address string) (*conn, error) {
	socket, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &conn{socket: socket, buffer: make([]byte, 64<<10)}, nil
}

func (c *conn) close() { _ = c.socket.Close() }

// send writes whole requests.
func (c *conn) send(frames []byte) error {
	_, err := c.socket.Write(frames)
	return err
}

// number gives a request the next correlation id.
func (c *conn) number(frame []byte) {
	c.next++
	binary.BigEndian.PutUint32(frame[correlationAt:], c.next)
}

// buffered says whether a whole answer was received already.
func (c *conn) buffered() bool {
	have := c.buffer[c.from:c.to]
	return len(have) >= 4 && len(have)-4 >= int(binary.BigEndian.Uint32(have))
}

// receive returns the next answer without its length. It is valid until the next call.
func (c *conn) receive() ([]byte, error) {
	for !c.buffered() {
		if err := c.read(); err != nil {
			return nil, err
		}
	}
	size := int(binary.BigEndian.Uint32(c.buffer[c.from:]))
	answer := c.buffer[c.from+4 : c.from+4+size]
	c.from += 4 + size
	if len(answer) < 4 {
		return nil, errShort
	}
	return answer, nil
}

const largestAnswer = 128 << 20

func (c *conn) read() error {
	if c.from == c.to {
		c.from, c.to = 0, 0
	}
	need := 4
	if c.to-c.from >= 4 {
		need += int(binary.BigEndian.Uint32(c.buffer[c.from:]))
	}
	if need > largestAnswer {
		return fmt.Errorf("answer of %d bytes", need)
	}
	if c.from+need > len(c.buffer) {
		room := c.buffer
		if need > len(room) {
			room = make([]byte, need+need/4)
		}
		c.to = copy(room, c.buffer[c.from:c.to])
		c.buffer, c.from = room, 0
	}
	n, err := c.socket.Read(c.buffer[c.to:])
	c.to += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// call sends a request that is not measured and waits for its answer.
func call[R kmsg.Response](c *conn, request kmsg.Request) (R, error) {
	var none R
	f := frame(request)
	c.number(f)
	if err := errors.Join(c.socket.SetDeadline(time.Now().Add(patience)), c.send(f)); err != nil {
		return none, err
	}
	answer, err := c.receive()
	if err != nil {
		return none, err
	}
	head := 4
	if response := request.ResponseKind(); response.IsFlexible() {
		head++ // no broker sends tags there
	}
	response := request.ResponseKind()
	if err := response.ReadFrom(append([]byte(nil), answer[min(head, len(answer)):]...)); err != nil {
		return none, fmt.Errorf("answer to api key %d: %w", request.Key(), err)
	}
	return response.(R), c.socket.SetDeadline(time.Time{})
}

// isGone says whether an error means that the connection is of no more use.
func isGone(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed)
}
