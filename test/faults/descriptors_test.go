//go:build suite && linux

package faults

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

const descriptors = 200

// limited is a binary that starts Barnabas with few descriptors.
func limited(t *testing.T) string {
	t.Helper()
	binary, err := build()
	must(t, err)
	script := filepath.Join(t.TempDir(), "limited")
	must(t, os.WriteFile(script, fmt.Appendf(nil, "#!/bin/bash\nulimit -n %d\nexec %q \"$@\"\n", descriptors, binary), 0o755))
	return script
}

func TestRunningOutOfDescriptorsLosesNoOpenConnection(t *testing.T) {
	broker := start(t, kafkatest.Options{Binary: limited(t)})
	first := dial(t, broker.Address)
	c := newClient(t, broker.Address)
	// Segments roll while there are no descriptors: they need files.
	c.create("open", map[string]string{"internal.segment.bytes": "20000"})
	next := int64(0)
	work := func(when string) {
		t.Helper()
		for range 30 {
			offset, err := first.produce("open", value(uint64(next), 2000))
			if err != nil || offset != next {
				t.Fatalf("%s: record %d got offset %d, %v", when, next, offset, err)
			}
			next++
		}
		for offset := range next {
			got, err := first.record("open", offset)
			if err != nil || !bytes.Equal(got, value(uint64(offset), 2000)) {
				t.Fatalf("%s: offset %d: %d bytes, %v", when, offset, len(got), err)
			}
		}
	}
	work("before")

	others := openUntilRefused(t, broker.Address)
	t.Logf("%d further connections were served, with %d descriptors", len(others), descriptors)
	if len(others) < 20 || len(others) >= descriptors {
		t.Errorf("%d connections were served", len(others))
	}
	work("without descriptors")
	for i, other := range others {
		if _, err := other.ask(versions()); err != nil {
			t.Errorf("open connection %d of %d: %v", i, len(others), err)
		}
	}
	for _, other := range others {
		must(t, other.Close())
	}
	eventually(t, patience, "a new connection after others closed", func() error {
		_, err := served(broker.Address)
		return err
	})
	work("after")
	if lines := linesWith(t, broker, "accepting failed"); lines < 1 || lines > 3 {
		t.Errorf("%d lines of the log say that accepting failed, want one or two", lines)
	}
}

func versions() kmsg.Request {
	request := kmsg.NewPtrApiVersionsRequest()
	request.Version, request.ClientSoftwareName, request.ClientSoftwareVersion = 3, "faults", "1"
	return request
}

// served opens a connection and asks for something.
func served(address string) (*line, error) {
	socket, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return nil, err
	}
	l := &line{Conn: socket}
	if _, err := l.ask(versions()); err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return l, nil
}

// openUntilRefused opens connections until three in a row are not served.
func openUntilRefused(t *testing.T, address string) []*line {
	t.Helper()
	var open []*line
	for refused := 0; refused < 3 && len(open) < 2*descriptors; {
		l, err := served(address)
		if err != nil {
			refused++
			continue
		}
		refused = 0
		t.Cleanup(func() { _ = l.Close() })
		open = append(open, l)
	}
	return open
}
