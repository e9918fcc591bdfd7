package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

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

// UnsupportedApiVersions answers a version of ApiVersions that is not served, in version 0, which every client can
// read: the error, and what it may ask instead (KIP-511).
func (b *Broker) UnsupportedApiVersions(r *Request) Result {
	response := r.Body.ResponseKind().(*kmsg.ApiVersionsResponse)
	response.ErrorCode = kerr.UnsupportedVersion.Code
	for _, row := range Table() {
		if row.Key == r.Key {
			key := kmsg.NewApiVersionsResponseApiKey()
			key.ApiKey, key.MinVersion, key.MaxVersion = row.Key, row.Min, row.Max
			response.ApiKeys = append(response.ApiKeys, key)
		}
	}
	return respond(response)
}
