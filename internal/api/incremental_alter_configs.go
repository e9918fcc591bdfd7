package api

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// IncrementalAlterConfigs (key 44) changes settings one by one (KIP-339). What this broker alone can judge is refused
// here, loggers are changed here, and the rest is the controller's, which checks what each resource would have in all.
//
// Versions 0-1, which are the same but for the encoding.
func (b *Broker) incrementalAlterConfigs(r *Request) Result {
	request := r.Body.(*kmsg.IncrementalAlterConfigsRequest)
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
			err = checkIncrements(resource)
		}
		switch {
		case err != nil:
		case resource.ResourceType == kmsg.ConfigResourceTypeBrokerLogger:
			err = b.alterLoggers(resource, request.ValidateOnly)
		default:
			err = b.alterable(resource.ResourceType, resource.ResourceName)
			if err == nil {
				err = b.listenable(resource.ResourceType, settings(resource))
			}
			if err == nil {
				a.forward(i)
				remaining.Resources = append(remaining.Resources, *resource)
				continue
			}
		}
		a.settle(i, err)
	}
	response := request.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	return a.finish(r, &remaining, func() kmsg.Response {
		for i := range request.Resources {
			resource := kmsg.NewIncrementalAlterConfigsResponseResource()
			resource.ResourceType, resource.ResourceName = request.Resources[i].ResourceType, request.Resources[i].ResourceName
			resource.ErrorCode, resource.ErrorMessage = a.outcomes[i].code, a.outcomes[i].message
			response.Resources = append(response.Resources, resource)
		}
		return response
	})
}

// settings are the values that are set anew.
func settings(resource *kmsg.IncrementalAlterConfigsRequestResource) map[string]string {
	values := make(map[string]string, len(resource.Configs))
	for i := range resource.Configs {
		if change := &resource.Configs[i]; change.Op == kmsg.IncrementalAlterConfigOpSet {
			values[change.Name] = *change.Value
		}
	}
	return values
}

// checkIncrements refuses what makes no sense for any resource: a setting twice, a null that is not a deletion, an
// operation that there is not (Kafka answers that slowly with UNKNOWN_SERVER_ERROR).
func checkIncrements(resource *kmsg.IncrementalAlterConfigsRequestResource) error {
	seen := make(map[string]bool, len(resource.Configs))
	var nulls []string
	for i := range resource.Configs {
		change := &resource.Configs[i]
		switch {
		case seen[change.Name]:
			return fmt.Errorf("setting %q appears twice: %w", change.Name, kerr.InvalidRequest)
		case change.Op < kmsg.IncrementalAlterConfigOpSet || change.Op > kmsg.IncrementalAlterConfigOpSubtract:
			return fmt.Errorf("operation %d on %q is unknown: %w", change.Op, change.Name, kerr.InvalidRequest)
		case change.Value == nil && change.Op != kmsg.IncrementalAlterConfigOpDelete:
			nulls = append(nulls, change.Name)
		}
		seen[change.Name] = true
	}
	if nulls != nil {
		return fmt.Errorf("null is no value for %s: %w", strings.Join(nulls, ", "), kerr.InvalidRequest)
	}
	return nil
}
