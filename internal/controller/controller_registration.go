package controller

import (
	"slices"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ControllerRegistration (key 70, version 0, KIP-919) notes where a controller
// listens and what it supports, for tools that ask controllers, and for
// upgrades, which wait for all of them. A controller registers with each start.
// The same registration once more changes nothing: whoever did not get its
// answer asks again, and the log need not tell of it.

func (d *decision) controllerRegistration(request *kmsg.ControllerRegistrationRequest) *kmsg.ControllerRegistrationResponse {
	response := request.ResponseKind().(*kmsg.ControllerRegistrationResponse)
	if err := d.registerController(request); err != nil {
		response.ErrorCode, response.ErrorMessage = told(err)
	}
	return response
}

func (d *decision) registerController(request *kmsg.ControllerRegistrationRequest) error {
	if d.im.MetadataVersion() < meta.Level37IV0 {
		return refuse(kerr.UnsupportedVersion, "The current MetadataVersion is too old to support controller registrations.")
	}
	record := &meta.RegisterControllerRecord{
		ControllerID: request.ControllerID, IncarnationID: request.IncarnationID,
	}
	for i := range request.Listeners {
		l := &request.Listeners[i]
		record.EndPoints = append(record.EndPoints, meta.Endpoint{
			Name: l.Name, Host: l.Host, Port: l.Port, SecurityProtocol: l.SecurityProtocol,
		})
	}
	for i := range request.Features {
		f := &request.Features[i]
		record.Features = append(record.Features, meta.SupportedFeature{
			Name: f.Name, MinSupportedVersion: f.MinSupportedVersion, MaxSupportedVersion: f.MaxSupportedVersion,
		})
	}
	if !d.isRegistered(record) {
		d.add(record)
	}
	return nil
}

// isRegistered says that the record tells nothing new.
func (d *decision) isRegistered(r *meta.RegisterControllerRecord) bool {
	c, ok := d.im.Controller(r.ControllerID)
	return ok && c.Incarnation == r.IncarnationID && !c.ZkMigrationReady &&
		slices.EqualFunc(c.Listeners, r.EndPoints, func(a, b meta.Endpoint) bool {
			return a.Name == b.Name && a.Host == b.Host && a.Port == b.Port && a.SecurityProtocol == b.SecurityProtocol
		}) &&
		slices.EqualFunc(c.Features, r.Features, func(a, b meta.SupportedFeature) bool {
			return a.Name == b.Name && a.MinSupportedVersion == b.MinSupportedVersion && a.MaxSupportedVersion == b.MaxSupportedVersion
		})
}
