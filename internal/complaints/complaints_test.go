package complaints

import (
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestComplaintsAreOneAPeerAndMinuteWithACount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		c := New(slog.New(slog.NewTextHandler(&log, nil)))
		for range 3000 {
			c.Add("10.0.0.1", "malformed", io.EOF)
		}
		c.Add("10.0.0.2", "malformed", io.EOF)
		if n := strings.Count(log.String(), "malformed"); n != 2 {
			t.Errorf("%d lines", n)
		}
		time.Sleep(Every)
		c.Add("10.0.0.1", "malformed", io.EOF)
		if strings.Count(log.String(), "left_out=2999") != 1 {
			t.Errorf("no count:\n%s", log.String())
		}
		for i := range 3 * MaxCauses {
			c.Add(time.Duration(i).String(), "malformed", io.EOF)
		}
		if n := len(c.causes); n > MaxCauses+1 {
			t.Errorf("%d causes are remembered", n)
		}
		c.Flush()
	})
}

func TestWhatWasLeftOutIsSaidAsItWouldHaveBeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		c := New(slog.New(slog.NewTextHandler(&log, nil)))
		for i := range 4 {
			c.Say(slog.LevelError, "disk", "request failed", "where", "fetch", "attempt", i)
		}
		c.Flush()
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[0], `level=ERROR msg="request failed" where=fetch attempt=0`) ||
			!strings.Contains(lines[1], `level=ERROR msg="request failed" where=fetch attempt=3 left_out=2`) {
			t.Errorf("the log is\n%s", log.String())
		}
	})
}
