package controller

import (
	"strconv"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// The topic configs on which decisions depend.
const (
	configMinInsyncReplicas     = "min.insync.replicas"
	configUncleanLeaderElection = "unclean.leader.election.enable"
	configCordonedLogDirs       = "cordoned.log.dirs"
)

// FeatureELR is the feature of eligible leader replicas (KIP-966).
const FeatureELR = "eligible.leader.replicas.version"

func elrEnabled(im *meta.Image) bool { return im.Feature(FeatureELR) >= 1 }

// topicConfig is a topic's config: its own, or the cluster's default.
func topicConfig(im *meta.Image, topic, name string) (string, bool) {
	if value, ok := im.Config(meta.ResourceTopic, topic)[name]; ok {
		return value, true
	}
	value, ok := im.Config(meta.ResourceBroker, "")[name]
	return value, ok
}

// minISR is how many replicas must be in sync before an append is acknowledged
// to all; more than there are would mean never.
func (d *decision) minISR(im *meta.Image, t *meta.Topic) int {
	min := int(d.env.MinInsyncReplicas)
	if text, ok := topicConfig(im, t.Name, configMinInsyncReplicas); ok {
		if n, err := strconv.Atoi(text); err == nil {
			min = n
		}
	}
	if len(t.Partitions) > 0 && len(t.Partitions[0].Replicas) < min {
		return len(t.Partitions[0].Replicas)
	}
	return min
}

func (d *decision) uncleanElection(im *meta.Image, topic string) bool {
	if text, ok := topicConfig(im, topic, configUncleanLeaderElection); ok {
		return text == "true"
	}
	return d.env.UncleanLeaderElection
}
