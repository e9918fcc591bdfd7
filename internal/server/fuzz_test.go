package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/api"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

// script is a connection whose client says what it has to say and leaves.
type script struct {
	*bytes.Reader
	written int
}

func (s *script) Write(p []byte) (int, error)      { s.written += len(p); return len(p), nil }
func (s *script) Close() error                     { return nil }
func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// everything answers every request of the codec at once.
func everything() []api.Row {
	var rows []api.Row
	for key := range kmsg.MaxKey + 1 {
		if request := kmsg.RequestForKey(int16(key)); request != nil {
			rows = append(rows, api.Row{Key: int16(key), Max: request.MaxVersion(), Handle: answerAtOnce, Overlaps: key == 0, Aliases: key == 0})
		}
	}
	return rows
}

// FuzzConnection holds that no bytes of a client make a connection panic, linger, or keep what it took.
func FuzzConnection(f *testing.F) {
	c := &client{format: kmsg.NewRequestFormatter()}
	f.Add(c.bytesOf(apiVersions(), produce(10), heartbeat(), fetch(), produce(10)))
	f.Add([]byte{0, 0, 0, 15, 0, 18, 0, 99, 0, 0, 0, 7, 0, 1, 'x', 0, 1, 2, 3})
	f.Add([]byte{0x7f, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 17, 0, 18, 0, 3, 0, 0, 0, 1, 0xff, 0xff, 0, 1, 1, 0xff, 0xff, 0xff, 0xff})
	rows := everything()
	f.Fuzz(func(t *testing.T, said []byte) {
		log := &logBook{}
		logger := slog.New(slog.NewTextHandler(io.Writer(log), nil))
		s := New(Options{Rows: rows, Logger: logger, Broker: &api.Broker{Logger: logger, Image: meta.Empty}, Limits: ample(Limits{})})
		started := time.Now()
		s.ServeConn("PLAINTEXT", &script{Reader: bytes.NewReader(said)})
		s.wait.Wait()
		if took := time.Since(started); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
		if log.count("bug:") > 0 {
			t.Errorf("panicked:\n%s", log.text.String())
		}
		if s.budget.used != 0 {
			t.Errorf("%d bytes are still taken", s.budget.used)
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
