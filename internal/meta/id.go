package meta

import (
	"encoding/base64"
	"fmt"
)

// FormatID is an id as Kafka prints it: base64 for URLs without padding.
func FormatID(id ID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseID reads an id as Kafka prints it.
func ParseID(s string) (ID, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(ID{}) {
		return ID{}, fmt.Errorf("%q is no uuid of 22 base64 characters", s)
	}
	return ID(b), nil
}
