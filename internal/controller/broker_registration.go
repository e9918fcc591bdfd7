package controller

import (
	"slices"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// BrokerRegistration (key 62, versions 0 to 4) takes a broker process into the
// cluster, fenced until it has caught up with the metadata. It gets a new epoch,
// above all earlier ones, unless it only amends its own registration.
//
// v2 adds directories (KIP-858), v3 the epoch before, by which a clean shutdown
// is known from one that may have lost its tail (KIP-966).

func (d *decision) brokerRegistration(request *kmsg.BrokerRegistrationRequest) *kmsg.BrokerRegistrationResponse {
	response := request.ResponseKind().(*kmsg.BrokerRegistrationResponse)
	epoch, err := d.register(request)
	response.BrokerEpoch = epoch
	response.ErrorCode, _ = told(err)
	return response
}

func (d *decision) register(request *kmsg.BrokerRegistrationRequest) (int64, error) {
	if err := d.registrationRefused(request); err != nil {
		return -1, err
	}
	record := &meta.RegisterBrokerRecord{
		BrokerID: request.BrokerID, IncarnationID: request.IncarnationID,
		Rack: request.Rack, Fenced: true,
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
	if d.im.MetadataVersion() >= meta.Level37IV2 {
		record.LogDirs = request.LogDirs
	}
	existing, registered := d.im.Broker(request.BrokerID)
	if registered && existing.Incarnation == request.IncarnationID {
		record.BrokerEpoch = existing.Epoch
		record.Fenced, record.InControlledShutdown = existing.Fenced, existing.InControlledShutdown
	} else {
		d.cleanUpAfter(request, registered && request.PreviousBrokerEpoch == existing.Epoch)
		record.BrokerEpoch = d.newBrokerEpoch()
		d.soft = d.soft.without(request.BrokerID)
	}
	d.add(record)
	return record.BrokerEpoch, nil
}

// cleanUpAfter takes the earlier incarnation out of all in-sync sets. When it did
// not shut down cleanly it may have lost what it had not flushed, and is no
// longer eligible either (KIP-966).
//
// A clean restart of the controller's own process leaves it the partitions that
// nobody else could lead meanwhile: it has all of their records and comes back
// in a moment, in the epoch in which it wrote them. Else each restart of a node
// that is alone would change each of its partitions twice, and keep the records.
func (d *decision) cleanUpAfter(request *kmsg.BrokerRegistrationRequest, clean bool) {
	id := request.BrokerID
	switch {
	case elrEnabled(d.im) && !clean:
		d.updateLeaders(leaderUpdate{unclean: id}, inISROrELR(id))
	case clean && request.IncarnationID == d.env.Incarnation:
		back := &meta.Broker{ID: id, LogDirs: request.LogDirs}
		d.updateLeaders(leaderUpdate{remove: []int32{id}, unclean: meta.NoLeader, returning: back}, inISR(id))
	default:
		d.updateLeaders(gone(id), inISR(id))
	}
}

// newBrokerEpoch is where the registration will lie in the log, as in Kafka, and
// above the epochs that are known, should the log's end not be known exactly.
func (d *decision) newBrokerEpoch() int64 {
	epoch := d.env.NextOffset + int64(len(d.records))
	for b := range d.im.Brokers() {
		epoch = max(epoch, b.Epoch+1)
	}
	return epoch
}

// sameDisks says that a registration comes from the directories that the former one
// came from. A process locks its directories, so the former one is no more:
// nobody needs to wait for the end of its session, as Kafka has it.
func sameDisks(before, now []meta.ID) bool {
	if len(before) == 0 || len(before) != len(now) {
		return false
	}
	return !slices.ContainsFunc(before, func(id meta.ID) bool { return !slices.Contains(now, id) })
}

func (d *decision) registrationRefused(request *kmsg.BrokerRegistrationRequest) error {
	if request.ClusterID != d.env.ClusterID {
		return refuse(kerr.InconsistentClusterID,
			"Expected cluster ID %s, but got cluster ID %s", d.env.ClusterID, request.ClusterID)
	}
	existing, registered := d.im.Broker(request.BrokerID)
	another := registered && existing.Incarnation != request.IncarnationID && request.IncarnationID != d.env.Incarnation
	switch {
	case another && d.alive(existing) && !sameDisks(existing.LogDirs, request.LogDirs):
		return refuse(kerr.DuplicateBrokerRegistration, "Another broker is registered with that broker id.")
	case request.IsMigratingZkBroker:
		return refuse(kerr.BrokerIDNotRegistered, "Controller does not support registering ZK brokers.")
	case request.BrokerID < 0:
		return refuse(kerr.InvalidRegistration, "Broker id %d is negative.", request.BrokerID)
	}
	if err := d.directoriesRefused(request); err != nil {
		return err
	}
	names := make(map[string]bool)
	for i := range request.Listeners {
		name := request.Listeners[i].Name
		if name == "" || names[name] {
			return refuse(kerr.InvalidRegistration, "Listeners must have names of their own.")
		}
		names[name] = true
	}
	if len(names) == 0 {
		return refuse(kerr.InvalidRegistration, "No listeners specified in request")
	}
	return d.featuresRefused(request)
}

func (d *decision) directoriesRefused(request *kmsg.BrokerRegistrationRequest) error {
	if d.im.MetadataVersion() < meta.Level37IV2 {
		return nil
	}
	if len(request.LogDirs) == 0 {
		return refuse(kerr.InvalidRegistration, "No directories specified in request")
	}
	for i, id := range request.LogDirs {
		switch {
		case reservedDirectory(id):
			return refuse(kerr.InvalidRegistration, "Reserved directory ID in request")
		case slices.Contains(request.LogDirs[:i], id):
			return refuse(kerr.InvalidRegistration, "Duplicate directory ID in request")
		}
		for b := range d.im.Brokers() {
			if b.ID != request.BrokerID && slices.Contains(b.LogDirs, id) {
				return refuse(kerr.InvalidRegistration,
					"Broker %d is already registered with directory %s", b.ID, meta.FormatID(id))
			}
		}
	}
	return nil
}

// reservedDirectory says that an id is one of the first hundred, which are kept
// for meanings such as meta.DirectoryLost.
func reservedDirectory(id meta.ID) bool {
	return id[15] < 100 && meta.ID(append(slices.Clone(id[:15]), 0)) == meta.ID{}
}

// featuresRefused refuses a broker that could not read the metadata or take part
// in what the cluster has finalized.
func (d *decision) featuresRefused(request *kmsg.BrokerRegistrationRequest) error {
	supported := make(map[string]FeatureRange, len(request.Features))
	for i := range request.Features {
		f := &request.Features[i]
		supported[f.Name] = FeatureRange{Name: f.Name, Min: f.MinSupportedVersion, Max: f.MaxSupportedVersion}
	}
	if _, ok := supported[meta.FeatureMetadataVersion]; !ok {
		return refuse(kerr.InvalidRegistration, "Request features do not contain '%s'", meta.FeatureMetadataVersion)
	}
	for _, f := range request.Features {
		if err := outside(supported[f.Name], d.im.Feature(f.Name)); err != nil && f.Name != meta.FeatureKRaftVersion {
			return err
		}
	}
	for name, level := range d.im.Features() {
		f, served := supported[name]
		if !served && onlyKept(name) {
			continue
		}
		f.Name = name
		if err := outside(f, level); err != nil {
			return err
		}
	}
	return nil
}

// onlyKept says whether a feature is one of Kafka 4.4 that nothing here acts on yet. A directory that Kafka left has it
// finalized; it stays so in the metadata, for the way back, and clients are not told of it.
func onlyKept(feature string) bool {
	switch feature {
	case "group.version", "share.version", "streams.version", "transaction.version":
		return true
	}
	return false
}

// outside refuses a range that a finalized level does not lie in.
func outside(f FeatureRange, finalized int16) error {
	if f.Min <= finalized && finalized <= f.Max {
		return nil
	}
	return refuse(kerr.UnsupportedVersion,
		"Unable to register because the broker does not support finalized version %d of %s. The broker wants a version between %d and %d, inclusive.",
		finalized, f.Name, f.Min, f.Max)
}
