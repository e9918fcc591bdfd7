package api

import "github.com/twmb/franz-go/pkg/kmsg"

// ApiVersions (key 18, versions 0-5) tells a client what it may ask here, before anything else.
func (b *Broker) apiVersions(r *Request) Result {
	response := r.Body.ResponseKind().(*kmsg.ApiVersionsResponse)
	for _, row := range Table() {
		key := kmsg.NewApiVersionsResponseApiKey()
		key.ApiKey, key.MinVersion, key.MaxVersion = row.Key, row.Min, row.Max
		response.ApiKeys = append(response.ApiKeys, key)
	}
	return respond(response)
}
