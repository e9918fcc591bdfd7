package wire

import (
	"encoding/binary"
	"fmt"
)

const (
	// FramePrefix is the size of the length in front of every request and response.
	FramePrefix = 4
	// MaxFrame is the largest frame that can be had at all; socket.request.max.bytes is usually far below.
	MaxFrame = 1<<31 - 1

	// NodeSoftware is what our own nodes call themselves in ApiVersions (KIP-511).
	NodeSoftware = "barnabas"

	apiVersions        = 18
	controlledShutdown = 7
)

// FrameSize reads the length in front of a request and checks it against limit (socket.request.max.bytes) before
// anyone allocates.
func FrameSize(prefix []byte, limit int) (int, error) {
	size := int32(binary.BigEndian.Uint32(prefix))
	if size < 0 || int(size) > limit {
		return 0, fmt.Errorf("frame of %d bytes, at most %d are allowed: %w", size, limit, ErrMalformed)
	}
	return int(size), nil
}

// Header is a request's header: version 1, or 2 where the request is flexible.
//
//	key int16 | version int16 | correlation id int32 | client id: int16 length, bytes | [tags]
//
// The client id is never in the compact encoding, so that a broker can read it before it knows the version.
type Header struct {
	Key, Version  int16
	CorrelationID int32
	ClientID      *string
}

// ParseHeader reads the header at the front of a frame and returns it with the body behind it. The header holds no
// reference to the frame. Any negative length of the client id reads as null, as in Kafka.
func ParseHeader(frame []byte) (Header, []byte, error) {
	r := reader{b: frame}
	h := Header{Key: r.int16(), Version: r.int16(), CorrelationID: r.int32()}
	// ControlledShutdown version 0 came before clients had names.
	if h.Key != controlledShutdown || h.Version != 0 {
		if n := int(r.int16()); n >= 0 {
			id := string(r.take(n))
			h.ClientID = &id
		}
	}
	if Flexible(h.Key, h.Version) && r.err == "" {
		w := walk{reader: r, flexible: true, memoryLeft: decodedFloor}
		w.tags(nil, 0)
		r = w.reader
	}
	if r.err != "" {
		return h, nil, fmt.Errorf("request header at byte %d of %d: %s: %w", r.at, len(frame), r.err, ErrMalformed)
	}
	return h, frame[r.at:], nil
}

// BeginResponse appends room for the length and the response's header: version 0, or 1 where the request was
// flexible. ApiVersions always has version 0, so that a client can read it before it knows the broker.
func BeginResponse(b *Buffer, key, version int16, correlationID int32) {
	head := b.Extend(FramePrefix + 4)
	binary.BigEndian.PutUint32(head, 0)
	binary.BigEndian.PutUint32(head[FramePrefix:], uint32(correlationID))
	if key != apiVersions && Flexible(key, version) {
		b.Extend(1)[0] = 0 // No tags.
	}
}

// EndResponse writes the length of the response that began at start.
func EndResponse(b *Buffer, start int) error {
	size := len(b.B) - start - FramePrefix
	if size > MaxFrame {
		return fmt.Errorf("response of %d bytes does not fit into a frame", size)
	}
	binary.BigEndian.PutUint32(b.B[start:], uint32(size))
	return nil
}
