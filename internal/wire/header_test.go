package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// frameOf is a request as a client sends it, without the length in front.
func frameOf(request kmsg.Request, clientID string) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)).AppendRequest(nil, request, 77)[FramePrefix:]
}

func TestHeadersOfBothKindsAreRead(t *testing.T) {
	for _, version := range []int16{2, 3} { // Version 3 is flexible.
		request := kmsg.NewApiVersionsRequest()
		request.Version, request.ClientSoftwareName, request.ClientSoftwareVersion = version, "test", "1"
		header, body, err := ParseHeader(frameOf(&request, "client"))
		if err != nil {
			t.Fatal(err)
		}
		if header.Key != 18 || header.Version != version || header.CorrelationID != 77 || *header.ClientID != "client" {
			t.Errorf("version %d: %+v", version, header)
		}
		if want := request.AppendTo(nil); !bytes.Equal(body, want) {
			t.Errorf("version %d: body %x, not %x", version, body, want)
		}
	}
}

func TestAClientIDOfNegativeLengthIsNull(t *testing.T) {
	for _, length := range []byte{0xff, 0xfe, 0x80} {
		header, body, err := ParseHeader([]byte{0, 18, 0, 0, 0, 0, 0, 1, length, 0xfe, 9})
		if err != nil || header.ClientID != nil || len(body) != 1 {
			t.Errorf("length %x: client %v, body %x, error %v", length, header.ClientID, body, err)
		}
	}
}

func TestControlledShutdownVersionZeroHasNoClientID(t *testing.T) {
	_, body, err := ParseHeader([]byte{0, 7, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4})
	if err != nil || !bytes.Equal(body, []byte{1, 2, 3, 4}) {
		t.Errorf("body %x, error %v", body, err)
	}
}

func TestApiVersionsOfTheFutureHasAFlexibleHeader(t *testing.T) {
	header, _, err := ParseHeader([]byte{0, 18, 0, 99, 0, 0, 0, 1, 0, 1, 'x', 0})
	if err != nil || header.Version != 99 || *header.ClientID != "x" {
		t.Errorf("%+v, error %v", header, err)
	}
}

func TestHeadersThatAreCutOffAreMalformed(t *testing.T) {
	request := kmsg.NewApiVersionsRequest()
	request.Version = 3
	frame := frameOf(&request, "client")
	for cut := range len(frame) - len(request.AppendTo(nil)) {
		if _, _, err := ParseHeader(frame[:cut]); !errors.Is(err, ErrMalformed) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func TestFrameSizesOutOfBoundsAreRefused(t *testing.T) {
	for size, fine := range map[int32]bool{-1: false, -1 << 31: false, 101: false, 1<<31 - 1: false, 0: true, 100: true} {
		_, err := FrameSize(binary.BigEndian.AppendUint32(nil, uint32(size)), 100)
		if (err == nil) != fine {
			t.Errorf("size %d: %v", size, err)
		}
	}
}

func TestResponsesHaveTheHeaderThatTheirRequestAsksFor(t *testing.T) {
	cases := map[string]struct {
		key, version int16
		want         []byte
	}{
		"not flexible":              {3, 8, []byte{0, 0, 0, 4, 0, 0, 0, 9}},
		"flexible":                  {3, 9, []byte{0, 0, 0, 5, 0, 0, 0, 9, 0}},
		"ApiVersions never is":      {18, 3, []byte{0, 0, 0, 4, 0, 0, 0, 9}},
		"SaslHandshake never is":    {17, 1, []byte{0, 0, 0, 4, 0, 0, 0, 9}},
		"OffsetDelete never is":     {47, 0, []byte{0, 0, 0, 4, 0, 0, 0, 9}},
		"DescribeCluster always is": {60, 0, []byte{0, 0, 0, 5, 0, 0, 0, 9, 0}},
	}
	for name, c := range cases {
		b := GetBuffer(0)
		BeginResponse(b, c.key, c.version, 9)
		if err := EndResponse(b, 0); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.B, c.want) {
			t.Errorf("%s: %x, not %x", name, b.B, c.want)
		}
		b.Free()
	}
}

func FuzzParseHeader(f *testing.F) {
	request := kmsg.NewMetadataRequest()
	for _, version := range []int16{0, 9, 13} {
		request.Version = version
		f.Add(frameOf(&request, "client"))
	}
	f.Add([]byte{0, 7, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, frame []byte) {
		header, body, err := ParseHeader(frame)
		if err != nil {
			return
		}
		if len(body) > len(frame) {
			t.Fatalf("body is longer than the frame")
		}
		_, _ = Verify(header.Key, header.Version, body)
	})
}
