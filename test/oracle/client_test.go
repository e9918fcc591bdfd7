//go:build suite

package oracle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	clientID   = "oracle"
	answerTime = 20 * time.Second // what is not answered by then is not answered
	mostAnswer = 64 << 20
)

var errClosed = errors.New("connection closed")

// link is one connection. Requests may be pipelined; answers are taken in order.
type link struct {
	address string
	conn    net.Conn
	next    int32
}

// dialled connects unless it is connected.
func (l *link) dialled() error {
	if l.conn != nil {
		return nil
	}
	c, err := net.DialTimeout("tcp", l.address, 10*time.Second)
	if err != nil {
		return err
	}
	l.conn = c
	return nil
}

func (l *link) close() {
	if l.conn != nil {
		_ = l.conn.Close()
		l.conn = nil
	}
}

// send writes one request and says with which correlation id.
func (l *link) send(r kmsg.Request) (int32, error) {
	l.next++
	f := kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID))
	return l.next, l.write(f.AppendRequest(nil, r, l.next))
}

func (l *link) write(frame []byte) error {
	if err := l.dialled(); err != nil {
		return err
	}
	_ = l.conn.SetWriteDeadline(time.Now().Add(answerTime))
	if _, err := l.conn.Write(frame); err != nil {
		return closed(err)
	}
	return nil
}

// receive takes the next frame, without its length.
func (l *link) receive(within time.Duration) ([]byte, error) {
	if l.conn == nil {
		return nil, errClosed
	}
	_ = l.conn.SetReadDeadline(time.Now().Add(within))
	var size [4]byte
	if _, err := io.ReadFull(l.conn, size[:]); err != nil {
		return nil, closed(err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > mostAnswer {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(l.conn, b); err != nil {
		return nil, closed(err)
	}
	return b, nil
}

// closed tells an end of the connection from a silence.
func closed(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return errors.New("no answer")
	}
	return errClosed
}

// decode reads an answer. What the codec leaves of it is an error, too: a client of another make would stumble over it.
func decode(frame []byte, correlation int32, r kmsg.Request) (kmsg.Response, error) {
	if len(frame) < 4 {
		return nil, fmt.Errorf("a frame of %d bytes", len(frame))
	}
	if got := int32(binary.BigEndian.Uint32(frame)); got != correlation {
		return nil, fmt.Errorf("correlation id %d instead of %d", got, correlation)
	}
	body := frame[4:]
	response := r.ResponseKind()
	response.SetVersion(r.GetVersion())
	if response.IsFlexible() && r.Key() != apiVersionsKey {
		if len(body) == 0 || body[0] != 0 {
			return nil, errors.New("tags in the header")
		}
		body = body[1:]
	}
	if err := response.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	if again := response.AppendTo(nil); !bytes.Equal(again, body) {
		return response, fmt.Errorf("%d bytes, which the codec would write as %d others", len(body), len(again))
	}
	return response, nil
}
