package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type describedConfig struct {
	Name      string             `json:"name"`
	Value     *string            `json:"value"` // null: none, or a secret
	Source    string             `json:"source"`
	ReadOnly  bool               `json:"read_only"`
	Sensitive bool               `json:"sensitive"`
	Type      string             `json:"type"`
	Synonyms  []describedSynonym `json:"synonyms"`
	Doc       string             `json:"documentation,omitempty"`
}

type describedSynonym struct {
	Name   string  `json:"name"`
	Value  *string `json:"value"`
	Source string  `json:"source"`
}

func (a *app) configDescribeCommand() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "describe " + resourceArgs,
		Short: "Show the settings of a topic, a broker or a group",
		Long: `Show the settings that were set for a topic, a broker, a group or a client metrics
subscription, and where each comes from; with --all also those that have their default.`,
		Example: `  barnabas config describe topic words
  barnabas config describe broker 1 --all
  barnabas config describe broker            # what was set for all brokers`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: a.resourceNames,
		RunE: func(c *cobra.Command, args []string) error {
			r, err := parseResource(args)
			if err != nil {
				return err
			}
			return a.admin(c.Context(), func(ctx context.Context, admin *admin) error { return a.describeConfigs(ctx, admin, r, all) })
		},
	}
	c.Flags().BoolVar(&all, "all", false, "show defaults too")
	return c
}

func (a *app) describeConfigs(ctx context.Context, admin *admin, r resource, all bool) error {
	configs, err := fetchConfigs(ctx, admin, r)
	if err != nil {
		return err
	}
	shown := make([]describedConfig, 0, len(configs))
	for _, config := range configs {
		if all || config.Source != "default" {
			shown = append(shown, config)
		}
	}
	if len(shown) == 0 {
		a.say("nothing was set for %s; --all shows the defaults", r)
	}
	return a.print(shown, func(t *table) {
		if len(shown) == 0 {
			return
		}
		t.row("SETTING", "VALUE", "SOURCE")
		for _, config := range shown {
			value := text(config.Value)
			switch {
			case config.Sensitive:
				value = "(secret)"
			case config.Value == nil:
				value = "(none)"
			}
			t.row(config.Name, value, config.Source)
		}
	})
}

func fetchConfigs(ctx context.Context, admin *admin, r resource) ([]describedConfig, error) {
	request := kmsg.NewPtrDescribeConfigsRequest()
	request.IncludeSynonyms, request.IncludeDocumentation = true, true
	asked := kmsg.NewDescribeConfigsRequestResource()
	asked.ResourceType, asked.ResourceName = r.code(), r.name
	request.Resources = append(request.Resources, asked)
	for _, shard := range admin.client.RequestSharded(ctx, request) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, answer := range shard.Resp.(*kmsg.DescribeConfigsResponse).Resources {
			if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
				return nil, fmt.Errorf("%s: %w", r, withMessage(err, text(answer.ErrorMessage)))
			}
			return configsOf(answer), nil
		}
	}
	return nil, errors.New("the broker answered nothing")
}

func configsOf(answer kmsg.DescribeConfigsResponseResource) []describedConfig {
	configs := make([]describedConfig, 0, len(answer.Configs))
	for _, c := range answer.Configs {
		config := describedConfig{
			Name: c.Name, Value: c.Value, Source: sourceText(c.Source), ReadOnly: c.ReadOnly, Sensitive: c.IsSensitive,
			Type: strings.ToLower(c.ConfigType.String()), Synonyms: []describedSynonym{}, Doc: text(c.Documentation),
		}
		for _, s := range c.ConfigSynonyms {
			config.Synonyms = append(config.Synonyms, describedSynonym{s.Name, s.Value, sourceText(s.Source)})
		}
		configs = append(configs, config)
	}
	slices.SortFunc(configs, func(x, y describedConfig) int { return strings.Compare(x.Name, y.Name) })
	return configs
}

func sourceText(source kmsg.ConfigSource) string {
	switch source {
	case kmsg.ConfigSourceDynamicTopicConfig:
		return "dynamic-topic"
	case kmsg.ConfigSourceDynamicBrokerConfig:
		return "dynamic-broker"
	case kmsg.ConfigSourceDynamicDefaultBrokerConfig:
		return "dynamic-default-broker"
	case kmsg.ConfigSourceStaticBrokerConfig:
		return "static-broker"
	case kmsg.ConfigSourceDefaultConfig:
		return "default"
	}
	return strings.ToLower(strings.ReplaceAll(source.String(), "_", "-"))
}
