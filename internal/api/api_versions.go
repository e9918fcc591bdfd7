package api

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/wire"
)

// ApiVersions (key 18) tells a client what it may ask here, before anything else: the rows of the table, no more and no
// less, and the features that are supported and finalized, which decide how clients join groups and end transactions.
//
// Versions 0-5. 3: the client's software and its version (KIP-511), features (KIP-584). 4: features whose lowest level is
// 0, which older clients cannot read. 5: the client may say whom it means to talk to (KIP-1242). An unsupported version
// comes to UnsupportedApiVersions instead.
func (b *Broker) apiVersions(r *Request) Result {
	request := r.Body.(*kmsg.ApiVersionsRequest)
	response := request.ResponseKind().(*kmsg.ApiVersionsResponse)
	switch {
	case !validApiVersions(request):
		response.ErrorCode = kerr.InvalidRequest.Code
		return respond(response)
	case request.Version >= 5 && request.ClusterID != nil && (*request.ClusterID != b.cluster() || request.NodeID != b.NodeID):
		response.ErrorCode = kerr.RebootstrapRequired.Code
		return respond(response)
	}
	if request.Version >= 3 {
		r.Conn.SoftwareName, r.Conn.SoftwareVersion = request.ClientSoftwareName, request.ClientSoftwareVersion
	}
	for _, row := range r.Conn.Rows {
		if !row.Hidden || request.ClientSoftwareName == wire.NodeSoftware {
			response.ApiKeys = append(response.ApiKeys, advertised(row))
		}
	}
	if request.Version >= 3 {
		b.addFeatures(response)
	}
	return respond(response)
}

func advertised(row Row) kmsg.ApiVersionsResponseApiKey {
	key := kmsg.NewApiVersionsResponseApiKey()
	key.ApiKey, key.MinVersion, key.MaxVersion = row.Key, row.Min, row.Max
	return key
}

// validApiVersions checks what a client says of itself. It ends up in logs and metrics, so it is held to the pattern of
// KIP-511: letters and digits, with dots and hyphens between them.
func validApiVersions(request *kmsg.ApiVersionsRequest) bool {
	if request.Version >= 5 && (request.ClusterID == nil) != (request.NodeID == -1) {
		return false
	}
	return request.Version < 3 || validSoftware(request.ClientSoftwareName) && validSoftware(request.ClientSoftwareVersion)
}

func validSoftware(name string) bool {
	for i, c := range []byte(name) {
		alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		inside := i > 0 && i < len(name)-1
		if !alphanumeric && (!inside || c != '.' && c != '-') {
			return false
		}
	}
	return name != ""
}

func (b *Broker) addFeatures(response *kmsg.ApiVersionsResponse) {
	im := b.Image()
	broker, known := im.Broker(b.NodeID)
	if known {
		for _, f := range supportedFeatures(broker, response.Version) {
			supported := kmsg.NewApiVersionsResponseSupportedFeature()
			supported.Name, supported.MinVersion, supported.MaxVersion = f.Name, f.MinSupportedVersion, f.MaxSupportedVersion
			response.SupportedFeatures = append(response.SupportedFeatures, supported)
		}
	}
	levels := im.Features()
	for _, name := range slices.Sorted(maps.Keys(levels)) {
		// What Kafka finalized before this directory was taken over is kept, but clients would act on it.
		if known && !slices.ContainsFunc(broker.Features, func(f meta.SupportedFeature) bool { return f.Name == name }) {
			continue
		}
		finalized := kmsg.NewApiVersionsResponseFinalizedFeature()
		finalized.Name, finalized.MinVersionLevel, finalized.MaxVersionLevel = name, levels[name], levels[name]
		response.FinalizedFeatures = append(response.FinalizedFeatures, finalized)
	}
	response.FinalizedFeaturesEpoch = b.MetadataOffset()
}

// supportedFeatures leaves out what clients before version 4 fail to read: a lowest level of 0 (KAFKA-17492).
func supportedFeatures(broker *meta.Broker, version int16) []meta.SupportedFeature {
	if version >= 4 {
		return broker.Features
	}
	return slices.DeleteFunc(slices.Clone(broker.Features), func(f meta.SupportedFeature) bool { return f.MinSupportedVersion == 0 })
}

// UnsupportedApiVersions answers a version of ApiVersions that is not served, in version 0, which every client can
// read: the error, and in which versions it may ask again (KIP-511).
func (b *Broker) UnsupportedApiVersions(r *Request) Result {
	response := r.Body.ResponseKind().(*kmsg.ApiVersionsResponse)
	response.ErrorCode = kerr.UnsupportedVersion.Code
	for _, row := range r.Conn.Rows {
		if row.Key == r.Key {
			response.ApiKeys = append(response.ApiKeys, advertised(row))
		}
	}
	return respond(response)
}
