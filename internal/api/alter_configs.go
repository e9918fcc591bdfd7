package api

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterConfigs (key 33) replaces all settings of a resource: what is not named is no longer set. It is deprecated, and
// some clients still use it.
//
// Versions 0-2, which are the same but for the encoding.
func (b *Broker) alterConfigs(r *Request) Result {
	request := r.Body.(*kmsg.AlterConfigsRequest)
	a := newAlteration(b, len(request.Resources))
	for i := range request.Resources {
		resource := &request.Resources[i]
		a.name(resource.ResourceType, resource.ResourceName)
	}
	remaining := *request
	remaining.Resources = nil
	for i := range request.Resources {
		resource := &request.Resources[i]
		err := a.repeated(i)
		if err == nil {
			err = checkReplacement(resource)
		}
		if err == nil {
			err = b.alterable(resource.ResourceType, resource.ResourceName)
		}
		if err == nil {
			err = b.listenable(resource.ResourceType, replacements(resource))
		}
		if err != nil {
			a.settle(i, err)
			continue
		}
		a.forward(i)
		remaining.Resources = append(remaining.Resources, *resource)
	}
	response := request.ResponseKind().(*kmsg.AlterConfigsResponse)
	return a.finish(r, &remaining, func() kmsg.Response {
		for i := range request.Resources {
			resource := kmsg.NewAlterConfigsResponseResource()
			resource.ResourceType, resource.ResourceName = request.Resources[i].ResourceType, request.Resources[i].ResourceName
			resource.ErrorCode, resource.ErrorMessage = a.outcomes[i].code, a.outcomes[i].message
			response.Resources = append(response.Resources, resource)
		}
		return response
	})
}

func checkReplacement(resource *kmsg.AlterConfigsRequestResource) error {
	seen := make(map[string]bool, len(resource.Configs))
	var nulls []string
	for i := range resource.Configs {
		setting := &resource.Configs[i]
		switch {
		case seen[setting.Name]:
			return fmt.Errorf("setting %q appears twice: %w", setting.Name, kerr.InvalidRequest)
		case setting.Value == nil:
			nulls = append(nulls, setting.Name)
		}
		seen[setting.Name] = true
	}
	if nulls != nil {
		return fmt.Errorf("null is no value for %s: %w", strings.Join(nulls, ", "), kerr.InvalidRequest)
	}
	return nil
}

// alterable refuses resources that this broker knows not to be the controller's to change.
func (b *Broker) alterable(kind kmsg.ConfigResourceType, name string) error {
	switch kind {
	case kmsg.ConfigResourceTypeBroker:
		if name == "" {
			return nil
		}
		return b.isThisBroker(name)
	case kmsg.ConfigResourceTypeTopic, kmsg.ConfigResourceTypeClientMetrics, kmsg.ConfigResourceTypeGroupConfig:
		return nil
	}
	return fmt.Errorf("resource type %d is unknown: %w", kind, kerr.InvalidRequest)
}

func replacements(resource *kmsg.AlterConfigsRequestResource) map[string]string {
	values := make(map[string]string, len(resource.Configs))
	for i := range resource.Configs {
		values[resource.Configs[i].Name] = *resource.Configs[i].Value
	}
	return values
}

// listenable refuses listeners of this broker that cannot be opened.
func (b *Broker) listenable(kind kmsg.ConfigResourceType, values map[string]string) error {
	if _, changed := values["listeners"]; !changed || kind != kmsg.ConfigResourceTypeBroker {
		return nil
	}
	if err := b.CanListen(values); err != nil {
		return fmt.Errorf("%w: %w", err, kerr.InvalidRequest)
	}
	return nil
}

// alteration collects what becomes of each resource of a request that alters configs: some are settled here, and the
// rest by the controller.
type alteration struct {
	broker    *Broker
	resources []resourceName
	times     map[resourceName]int
	outcomes  []outcome
	forwarded []int
}

type resourceName struct {
	kind kmsg.ConfigResourceType
	name string
}

type outcome struct {
	code    int16
	message *string
}

func newAlteration(b *Broker, n int) *alteration {
	return &alteration{broker: b, times: make(map[resourceName]int, n), outcomes: make([]outcome, n)}
}

func (a *alteration) name(kind kmsg.ConfigResourceType, name string) {
	r := resourceName{kind, name}
	a.resources = append(a.resources, r)
	a.times[r]++
}

func (a *alteration) repeated(i int) error {
	if a.times[a.resources[i]] > 1 {
		return fmt.Errorf("each resource may appear only once: %w", kerr.InvalidRequest)
	}
	return nil
}

func (a *alteration) settle(i int, err error) {
	a.outcomes[i] = outcome{a.broker.code(err, kerr.NotController, "altering configs"), message(err)}
}

func (a *alteration) forward(i int) { a.forwarded = append(a.forwarded, i) }

// finish hands what remains to the controller and answers with everything.
func (a *alteration) finish(r *Request, remaining kmsg.Request, answer func() kmsg.Response) Result {
	if len(a.forwarded) == 0 {
		return respond(answer())
	}
	return later(func() Result {
		ctx, cancel := controllerContext(r, defaultControllerMs)
		defer cancel()
		decided, err := a.broker.Controller.Do(ctx, remaining, r.Conn.Principal)
		for _, i := range a.forwarded {
			if err != nil {
				a.settle(i, err)
				continue
			}
			a.take(i, decided)
		}
		return respond(answer())
	})
}

// take finds what the controller said of a resource.
func (a *alteration) take(i int, decided kmsg.Response) {
	found := resourceName{}
	switch d := decided.(type) {
	case *kmsg.IncrementalAlterConfigsResponse:
		for j := range d.Resources {
			found = resourceName{d.Resources[j].ResourceType, d.Resources[j].ResourceName}
			if found == a.resources[i] {
				a.outcomes[i] = outcome{d.Resources[j].ErrorCode, d.Resources[j].ErrorMessage}
				return
			}
		}
	case *kmsg.AlterConfigsResponse:
		for j := range d.Resources {
			found = resourceName{d.Resources[j].ResourceType, d.Resources[j].ResourceName}
			if found == a.resources[i] {
				a.outcomes[i] = outcome{d.Resources[j].ErrorCode, d.Resources[j].ErrorMessage}
				return
			}
		}
	}
	a.settle(i, fmt.Errorf("the controller did not answer for %s %q", a.resources[i].kind, a.resources[i].name))
}
