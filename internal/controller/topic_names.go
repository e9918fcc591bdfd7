package controller

import (
	"strings"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Internal topics. The metadata log is a topic in name only.
const (
	ConsumerOffsetsTopic  = "__consumer_offsets"
	TransactionStateTopic = "__transaction_state"
	ShareGroupStateTopic  = "__share_group_state"
	ClusterMetadataTopic  = "__cluster_metadata"
)

// maxTopicName is Kafka's longest topic name: a partition's directory has to fit
// into a file name.
const maxTopicName = 249

// CheckTopicName says why a topic cannot have a name, as Kafka says it.
func CheckTopicName(name string) error {
	switch {
	case name == "":
		return refuse(kerr.InvalidTopicException, "Topic name is invalid: the empty string is not allowed")
	case name == "." || name == "..":
		return refuse(kerr.InvalidTopicException, "Topic name is invalid: '%s' is not allowed", name)
	case len(name) > maxTopicName:
		return refuse(kerr.InvalidTopicException,
			"Topic name is invalid: the length of '%s' is longer than the max allowed length %d", name, maxTopicName)
	case strings.ContainsFunc(name, func(c rune) bool { return !legalInTopicName(c) }):
		return refuse(kerr.InvalidTopicException,
			"Topic name is invalid: '%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
	}
	return nil
}

func legalInTopicName(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// colliding is an existing topic whose name differs from name at most in '.' for
// '_' or the other way round: metrics would not tell them apart. Names without
// either collide with nothing.
func colliding(im *meta.Image, name string) (string, bool) {
	if !strings.ContainsAny(name, "._") {
		return "", false
	}
	names := im.TopicsAlike(name)
	if len(names) == 0 {
		return "", false
	}
	return names[0], true
}
