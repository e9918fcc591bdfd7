package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

const maxTopicName = 249

// checkTopicName returns what is wrong with a topic's name, as INVALID_TOPIC_EXCEPTION.
func checkTopicName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("topic name is empty: %w", kerr.InvalidTopicException)
	case name == "." || name == "..":
		return fmt.Errorf("topic name %q is a directory: %w", name, kerr.InvalidTopicException)
	case len(name) > maxTopicName:
		return fmt.Errorf("topic name has %d characters, at most %d are allowed: %w", len(name), maxTopicName, kerr.InvalidTopicException)
	}
	for _, c := range []byte(name) {
		legal := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
		if !legal {
			return fmt.Errorf("topic name %q has characters other than ASCII letters, digits, '.', '_' and '-': %w",
				name, kerr.InvalidTopicException)
		}
	}
	return nil
}
