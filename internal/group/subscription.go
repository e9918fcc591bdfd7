package group

import (
	"encoding/binary"
	"fmt"
)

// subscription reads the topics of a member's metadata under the consumer protocol. Every version begins with them:
//
//	version int16 | count int32 | count times (length int16 | name) | …
func subscription(b []byte) ([]string, error) {
	if len(b) < 6 {
		return nil, fmt.Errorf("subscription of %d bytes: %w", len(b), errFormat)
	}
	count := int32(binary.BigEndian.Uint32(b[2:]))
	b = b[6:]
	if count < 0 || int(count) > len(b)/2 {
		return nil, fmt.Errorf("subscription to %d topics: %w", count, errFormat)
	}
	topics := make([]string, 0, count)
	for range count {
		if len(b) < 2 {
			return nil, fmt.Errorf("subscription: %w", errFormat)
		}
		n := int(int16(binary.BigEndian.Uint16(b)))
		if b = b[2:]; n < 0 || n > len(b) {
			return nil, fmt.Errorf("subscription: %w", errFormat)
		}
		topics = append(topics, string(b[:n]))
		b = b[n:]
	}
	return topics, nil
}
