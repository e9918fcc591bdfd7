//go:build suite && linux

package faults

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

const (
	stormFrames  = 3000
	stormWorkers = 8
	stormPeer    = "127.0.0.2" // another address of this machine than the good client's
	stormGrowth  = 64 << 20
	stormLines   = 3
)

func TestAStormOfMalformedFramesDisturbsNobodyElse(t *testing.T) {
	broker := start(t, kafkatest.Options{})
	newClient(t, broker.Address).create("calm", nil)
	good := dial(t, broker.Address)
	round := calm(good)
	for range 200 {
		must(t, round())
	}
	before := peakMemory(t, broker.PID)

	ctx, end := context.WithCancel(t.Context())
	var rounds atomic.Int64
	var slowest time.Duration
	failed := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			begin := time.Now()
			if err := round(); err != nil {
				failed <- err
				return
			}
			slowest = max(slowest, time.Since(begin))
			rounds.Add(1)
		}
		failed <- nil
	}()
	begin := time.Now()
	answered := storm(broker.Address)
	took := time.Since(begin)
	end()
	if err := <-failed; err != nil {
		t.Errorf("the good client, after %d rounds: %v", rounds.Load(), err)
	}
	growth := peakMemory(t, broker.PID) - before
	lines := linesWith(t, broker, stormPeer)
	t.Logf("%d frames in %s, %d answered; the good client did %d rounds, the slowest in %s; memory's peak grew by %d KiB; %d log lines",
		stormFrames, took.Round(time.Millisecond), answered, rounds.Load(), slowest.Round(time.Millisecond), growth>>10, lines)
	if growth > stormGrowth {
		t.Errorf("the broker's memory grew by %d bytes at its peak", growth)
	}
	if lines < 1 || lines > stormLines {
		t.Errorf("%d lines of the log are about the peer, want one to %d", lines, stormLines)
	}
	if rounds.Load() == 0 {
		t.Error("the good client did nothing meanwhile")
	}
}

// calm returns what a good client does again and again: it appends a record and reads it.
func calm(l *line) func() error {
	next := uint64(0)
	return func() error {
		want := value(next, 1000)
		next++
		offset, err := l.produce("calm", want)
		if err != nil {
			return err
		}
		got, err := l.record("calm", offset)
		if err == nil && !bytes.Equal(got, want) {
			err = fmt.Errorf("offset %d is answered with another record", offset)
		}
		return err
	}
}

// storm sends malformed frames, each on a connection of its own, and counts those that were answered with more than an end.
func storm(address string) (answered int64) {
	var number, count atomic.Int64
	var workers sync.WaitGroup
	kinds := malformed()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(stormPeer)}, Timeout: 5 * time.Second}
	for range stormWorkers {
		workers.Go(func() {
			var held []net.Conn // frames that promise more keep their connection for a while
			for i := number.Add(1); i <= stormFrames; i = number.Add(1) {
				kind := kinds[int(i)%len(kinds)]
				c, err := dialer.Dial("tcp", address)
				if err != nil {
					continue
				}
				_, _ = c.Write(kind.bytes)
				if kind.waits {
					held = append(held, c)
					continue
				}
				_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
				if n, _ := io.Copy(io.Discard, io.LimitReader(c, 4)); n > 0 {
					count.Add(1)
				}
				_ = c.Close()
			}
			for _, c := range held {
				_ = c.Close()
			}
		})
	}
	workers.Wait()
	return count.Load()
}

type frame struct {
	bytes []byte
	waits bool // the broker has to wait for the rest
}

// malformed are frames that no client sends.
func malformed() []frame {
	size := func(n int32, rest ...byte) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(n)), rest...)
	}
	framed := func(body []byte) []byte { return append(size(int32(len(body))), body...) }
	head := func(key, version int16, body ...byte) []byte {
		b := binary.BigEndian.AppendUint16(nil, uint16(key))
		b = binary.BigEndian.AppendUint16(b, uint16(version))
		b = append(b, 0, 0, 0, 7, 0xff, 0xff)
		return append(b, body...)
	}
	garbage := value(1, 4000)
	promises := []frame{
		{bytes: size(100<<20, head(0, 9)...), waits: true}, {bytes: size(50<<20, head(1, 12, garbage...)...), waits: true},
	}
	frames := []frame{
		{bytes: size(-1)}, {bytes: size(math.MinInt32)}, {bytes: size(0)}, {bytes: size(math.MaxInt32, garbage...)},
		{bytes: size(3, 1, 2, 3)}, {bytes: framed(garbage)}, {bytes: []byte("GET / HTTP/1.1\r\nHost: broker\r\n\r\n")},
		{bytes: framed(head(9999, 0))}, {bytes: framed(head(-1, 0))}, {bytes: framed(head(3, 999))}, {bytes: framed(head(0, -5))},
	}
	absurd := [][]byte{
		{0x7f, 0xff, 0xff, 0xff}, {0, 0xff, 0xff, 0xff, 0xff, 0x07}, {0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80}, {0x80, 0, 0, 0},
	}
	for key := range int16(75) {
		frames = append(frames, promises...)
		request := kmsg.RequestForKey(key)
		if request == nil {
			continue
		}
		for _, version := range []int16{0, request.MaxVersion()} {
			request.SetVersion(version)
			whole := kmsg.NewRequestFormatter(kmsg.FormatterClientID("storm")).AppendRequest(nil, request, 7)[4:]
			frames = append(frames, frame{bytes: framed(whole[:len(whole)/2+4])}) // cut short
			for _, counts := range absurd {
				frames = append(frames, frame{bytes: framed(head(key, version, append(bytes.Clone(counts), garbage[:200]...)...))})
			}
			frames = append(frames, frame{bytes: framed(head(key, version, garbage...))})
		}
	}
	return frames
}

var peak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMemory is the most that a process ever had resident.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	found := peak.FindSubmatch(status)
	if found == nil {
		t.Fatalf("no VmHWM in the status of %d", pid)
	}
	kilobytes, err := strconv.ParseInt(string(found[1]), 10, 64)
	must(t, err)
	return kilobytes << 10
}
