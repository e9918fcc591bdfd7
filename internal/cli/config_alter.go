package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// configChanges are changes of settings, as flags give them.
type configChanges struct {
	set, unset, add, subtract []string
	validateOnly              bool
}

func (c *configChanges) flags(flags *pflag.FlagSet) {
	flags.StringArrayVar(&c.set, "set", nil, "set a setting, as `name=value`; may be repeated")
	flags.StringArrayVar(&c.unset, "unset", nil, "give the setting `name` its default again; may be repeated")
	flags.StringArrayVar(&c.add, "append", nil, "add to a list, as `name=value`; may be repeated")
	flags.StringArrayVar(&c.subtract, "subtract", nil, "remove from a list, as `name=value`; may be repeated")
	flags.BoolVar(&c.validateOnly, "validate-only", false, "only check whether it could be done")
}

func (c *configChanges) empty() bool {
	return len(c.set)+len(c.unset)+len(c.add)+len(c.subtract) == 0
}

func (a *app) configAlterCommand() *cobra.Command {
	var changes configChanges
	c := &cobra.Command{
		Use:   "alter " + resourceArgs,
		Short: "Change settings while the broker runs",
		Example: `  barnabas config alter topic words --set retention.ms=3600000
  barnabas config alter broker 1 --set log.cleaner.threads=2
  barnabas config alter broker --unset log.retention.ms      # for all brokers
  barnabas config alter topic words --append cleanup.policy=compact`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: a.resourceNames,
		RunE: func(c *cobra.Command, args []string) error {
			r, err := parseResource(args)
			if err != nil {
				return err
			}
			if changes.empty() {
				return usage("nothing to change: give --set, --unset, --append or --subtract")
			}
			request, err := changes.request(r)
			if err != nil {
				return err
			}
			return a.admin(c.Context(), func(ctx context.Context, admin *admin) error { return a.alterConfigs(ctx, admin, r, request) })
		},
	}
	changes.flags(c.Flags())
	return c
}

func (a *app) alterConfigs(ctx context.Context, admin *admin, r resource, request *kmsg.IncrementalAlterConfigsRequest) error {
	for _, shard := range admin.client.RequestSharded(ctx, request) {
		if shard.Err != nil {
			return shard.Err
		}
		for _, answer := range shard.Resp.(*kmsg.IncrementalAlterConfigsResponse).Resources {
			if err := kerr.ErrorForCode(answer.ErrorCode); err != nil {
				return fmt.Errorf("%s: %w", r, withMessage(err, text(answer.ErrorMessage)))
			}
			return a.printAltered(r, request)
		}
	}
	return errors.New("the broker answered nothing")
}

func (a *app) printAltered(r resource, request *kmsg.IncrementalAlterConfigsRequest) error {
	n := len(request.Resources[0].Configs)
	return a.print(map[string]any{"type": r.kind, "name": r.name, "changes": n, "validate_only": request.ValidateOnly}, func(t *table) {
		if request.ValidateOnly {
			t.line("%s: %s could be changed", r, plural(int64(n), "setting"))
			return
		}
		t.line("%s: %s changed", r, plural(int64(n), "setting"))
	})
}

func (c *configChanges) request(r resource) (*kmsg.IncrementalAlterConfigsRequest, error) {
	asked := kmsg.NewIncrementalAlterConfigsRequestResource()
	asked.ResourceType, asked.ResourceName = r.code(), r.name
	for _, part := range []struct {
		flag  string
		pairs []string
		op    kmsg.IncrementalAlterConfigOp
	}{
		{"set", c.set, kmsg.IncrementalAlterConfigOpSet},
		{"append", c.add, kmsg.IncrementalAlterConfigOpAppend},
		{"subtract", c.subtract, kmsg.IncrementalAlterConfigOpSubtract},
	} {
		settings, err := settingsOf(part.flag, part.pairs)
		if err != nil {
			return nil, err
		}
		for _, name := range sortedKeys(settings) {
			asked.Configs = append(asked.Configs, configChange(name, settings[name], part.op))
		}
	}
	for _, name := range c.unset {
		asked.Configs = append(asked.Configs, configChange(name, nil, kmsg.IncrementalAlterConfigOpDelete))
	}
	request := kmsg.NewPtrIncrementalAlterConfigsRequest()
	request.ValidateOnly = c.validateOnly
	request.Resources = append(request.Resources, asked)
	return request, nil
}

func configChange(name string, value *string, op kmsg.IncrementalAlterConfigOp) kmsg.IncrementalAlterConfigsRequestResourceConfig {
	change := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	change.Name, change.Value, change.Op = name, value, op
	return change
}
