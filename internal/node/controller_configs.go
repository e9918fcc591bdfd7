package node

import (
	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/controller"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

// finalized are the features that a new cluster begins with beside metadata.version: those whose requests are served.
var finalized = map[string]int16{controller.FeatureELR: 1}

// kraftVersion is the quorum's level: 1 is that its voters are known by directory id (KIP-853).
const kraftVersion = 1

// supportedFeatures are the levels that this node can serve, metadata.version apart.
func supportedFeatures() []controller.FeatureRange {
	return []controller.FeatureRange{
		{Name: controller.FeatureELR, Min: 0, Max: 1},
		{Name: "kraft.version", Min: 0, Max: kraftVersion},
	}
}

// metadataVersions are the levels of metadata.version that this node can read and write.
var metadataVersions = controller.FeatureRange{
	Name: meta.FeatureMetadataVersion, Min: meta.MinMetadataVersion, Max: meta.LatestMetadataVersion,
}

// checkConfigs judges all configs that a resource would have together.
func checkConfigs(v *config.Values, resource meta.ConfigResource, values map[string]string) error {
	switch resource.Type {
	case meta.ResourceTopic:
		return config.CheckTopicConfigs(v, values)
	case meta.ResourceBroker:
		return config.CheckBrokerConfigs(v, values, resource.Name != "")
	case meta.ResourceGroup:
		return config.CheckGroupConfigs(v, values)
	case meta.ResourceClientMetrics:
		return config.CheckClientMetricsConfigs(values)
	}
	return nil
}

// scopeOf is where a resource's configs stand in the table.
func scopeOf(resourceType meta.ResourceType) config.Scope {
	switch resourceType {
	case meta.ResourceTopic:
		return config.Topic
	case meta.ResourceGroup:
		return config.Group
	case meta.ResourceClientMetrics:
		return config.ClientMetrics
	default:
		return config.Broker
	}
}

// listConfig tells which configs are lists, and what they are when nobody set them.
func listConfig(v *config.Values) func(meta.ResourceType, string) (string, bool) {
	return func(resourceType meta.ResourceType, name string) (string, bool) {
		scope := scopeOf(resourceType)
		if !config.IsList(scope, name) {
			return "", false
		}
		descriptions := config.DescribeBroker(v)
		if scope == config.Topic {
			descriptions = config.DescribeTopic(v, nil)
		}
		for _, d := range descriptions {
			if d.Name == name && d.Value != nil {
				return *d.Value, true
			}
		}
		return "", true
	}
}

// topicConfigs are all configs of a topic as CreateTopics answers them.
func topicConfigs(v *config.Values, overrides map[string]string) []controller.TopicConfig {
	described := config.DescribeTopic(v, overrides)
	out := make([]controller.TopicConfig, len(described))
	for i, d := range described {
		out[i] = controller.TopicConfig{Name: d.Name, Value: d.Value, ReadOnly: d.ReadOnly, Source: int8(d.Origin), Sensitive: d.Sensitive}
	}
	return out
}
