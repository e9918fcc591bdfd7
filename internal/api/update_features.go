package api

import "github.com/twmb/franz-go/pkg/kmsg"

// UpdateFeatures (key 57) has the controller finalize features at other levels, all that are named or none (KIP-584).
//
// Versions 0-2. 1: validate only, and the kind of change (KIP-778). 2: one answer for the whole request (KIP-1022).
func (b *Broker) updateFeatures(r *Request) Result {
	request := r.Body.(*kmsg.UpdateFeaturesRequest)
	return b.decided(r, request.TimeoutMillis, "UpdateFeatures", func(code int16, text *string) kmsg.Response {
		response := request.ResponseKind().(*kmsg.UpdateFeaturesResponse)
		response.ErrorCode, response.ErrorMessage = code, text
		return response
	})
}
