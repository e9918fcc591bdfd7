package api

import "github.com/twmb/franz-go/pkg/kmsg"

// UnregisterBroker (key 64) has the controller forget a broker that will not come back (KIP-500). One that runs registers again.
//
// Version 0.
func (b *Broker) unregisterBroker(r *Request) Result {
	return b.decided(r, defaultControllerMs, "UnregisterBroker", func(code int16, text *string) kmsg.Response {
		response := r.Body.ResponseKind().(*kmsg.UnregisterBrokerResponse)
		response.ErrorCode, response.ErrorMessage = code, text
		return response
	})
}
