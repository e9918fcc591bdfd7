package controller

import (
	"fmt"
	"slices"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// UpdateFeatures (key 57, versions 0 to 2) finalizes features at other levels
// (KIP-584): all that a request names, or none. v1 adds validate only and the
// kind of change; v2 answers for the whole request only.

// The kinds of change.
const (
	upgrade         = 1
	safeDowngrade   = 2
	unsafeDowngrade = 3
)

func (d *decision) updateFeatures(request *kmsg.UpdateFeaturesRequest) *kmsg.UpdateFeaturesResponse {
	response := request.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	levels := d.im.Features()
	for i := range request.FeatureUpdates {
		levels[request.FeatureUpdates[i].Feature] = request.FeatureUpdates[i].MaxVersionLevel
	}
	for i := range request.FeatureUpdates {
		u := &request.FeatureUpdates[i]
		if err := d.updateFeature(u, upgradeType(u, request.Version), levels); err != nil {
			text := "The update failed for all features since the following feature had an error: " + err.Error()
			response.ErrorCode, _ = told(err)
			response.ErrorMessage = &text
			d.records = nil
			return response
		}
	}
	if request.ValidateOnly {
		d.records = nil
	}
	if request.Version <= 1 {
		for i := range request.FeatureUpdates {
			result := kmsg.NewUpdateFeaturesResponseResult()
			none := "NONE" // as Kafka words it that there is no error
			result.Feature, result.ErrorMessage = request.FeatureUpdates[i].Feature, &none
			response.Results = append(response.Results, result)
		}
	}
	return response
}

// upgradeType passes over v0's word that a downgrade is allowed, as Kafka does.
func upgradeType(u *kmsg.UpdateFeaturesRequestFeatureUpdate, version int16) int8 {
	if version == 0 {
		return upgrade
	}
	return u.UpgradeType
}

func (d *decision) updateFeature(u *kmsg.UpdateFeaturesRequestFeatureUpdate, kind int8, levels map[string]int16) error {
	refused := func(format string, args ...any) error {
		return refuse(kerr.InvalidUpdateVersion, "Invalid update version %d for feature %s. %s",
			u.MaxVersionLevel, u.Feature, fmt.Sprintf(format, args...))
	}
	now, next := d.im.Feature(u.Feature), u.MaxVersionLevel
	if u.Feature == meta.FeatureKRaftVersion {
		now = d.env.KRaftVersion
	}
	switch {
	case kind < upgrade || kind > unsafeDowngrade:
		return refused("The controller does not support the given upgrade type.")
	case next < 0:
		return refused("A feature version cannot be less than 0.")
	}
	if why := d.unsupported(u.Feature, next); why != "" {
		return refused("%s", why)
	}
	switch {
	case next < now && kind == upgrade:
		return refused("Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.")
	case next > now && kind != upgrade:
		return refused("Can't downgrade to a newer version.")
	}
	switch u.Feature {
	case meta.FeatureMetadataVersion:
		if err := metadataDowngradeRefused(now, next, kind); err != nil {
			return err
		}
	case meta.FeatureKRaftVersion:
		if next != now {
			return refused("The quorum's protocol changes its version by itself.")
		}
		d.add(&meta.NoOpRecord{})
		return nil
	case FeatureELR:
		if next > 0 && levels[meta.FeatureMetadataVersion] < meta.Level40IV1 {
			return refused("%s could not be set to %d because it depends on %s level %d",
				FeatureELR, next, meta.FeatureMetadataVersion, meta.Level40IV1)
		}
		d.prepareELR(next)
	default:
		if _, known := d.supportedHere(u.Feature); !known {
			return refused("Feature %s not found.", u.Feature)
		}
	}
	d.add(&meta.FeatureLevelRecord{Name: u.Feature, FeatureLevel: next})
	return nil
}

func (d *decision) supportedHere(name string) (FeatureRange, bool) {
	switch name {
	case meta.FeatureMetadataVersion:
		return FeatureRange{Name: name, Min: meta.MinMetadataVersion, Max: meta.LatestMetadataVersion}, true
	case meta.FeatureKRaftVersion:
		return FeatureRange{Name: name, Max: d.env.KRaftVersion}, true
	}
	i := slices.IndexFunc(d.env.Features, func(f FeatureRange) bool { return f.Name == name })
	if i < 0 {
		return FeatureRange{Name: name}, false
	}
	return d.env.Features[i], true
}

// unsupported is why somebody in the cluster could not do with a level, "" when
// all can.
func (d *decision) unsupported(name string, level int16) string {
	here, _ := d.supportedHere(name)
	if why := notIn(here, level, fmt.Sprintf("Local controller %d", d.env.NodeID)); why != "" {
		return why
	}
	for b := range d.im.Brokers() {
		if why := notIn(rangeOf(b.Features, name), level, fmt.Sprintf("Broker %d", b.ID)); why != "" {
			return why
		}
	}
	for c := range d.im.Controllers() {
		if c.ID == d.env.NodeID {
			continue
		}
		if why := notIn(rangeOf(c.Features, name), level, fmt.Sprintf("Controller %d", c.ID)); why != "" {
			return why
		}
	}
	return ""
}

func rangeOf(features []meta.SupportedFeature, name string) FeatureRange {
	for _, f := range features {
		if f.Name == name {
			return FeatureRange{Name: name, Min: f.MinSupportedVersion, Max: f.MaxSupportedVersion}
		}
	}
	return FeatureRange{Name: name}
}

func notIn(f FeatureRange, level int16, who string) string {
	switch {
	case f.Min <= level && level <= f.Max:
		return ""
	case f.Max == 0:
		return who + " does not support this feature."
	case f.Min == f.Max:
		return fmt.Sprintf("%s only supports versions %d", who, f.Min)
	}
	return fmt.Sprintf("%s only supports versions %d-%d", who, f.Min, f.Max)
}

// metadataDowngradeRefused refuses to go below a level at which records changed:
// what they hold would be lost.
func metadataDowngradeRefused(now, next int16, kind int8) error {
	changed := slices.ContainsFunc(levelsWithChanges, func(level int16) bool { return next < level && level <= now })
	switch {
	case next >= now || !changed:
		return nil
	case kind == unsafeDowngrade:
		return refuse(kerr.InvalidUpdateVersion,
			"Unsupported metadata.version downgrade from %d to %d. Unsafe metadata downgrade is not supported in this version.", now, next)
	}
	return refuse(kerr.InvalidUpdateVersion,
		"Unsupported metadata.version downgrade from %d to %d. Refusing to perform the requested downgrade because it might delete metadata information.", now, next)
}

// levelsWithChanges are the levels of metadata.version that changed a record.
var levelsWithChanges = []int16{
	meta.Level33IV3, meta.Level34IV0, meta.Level35IV2, meta.Level36IV1, meta.Level36IV2, meta.Level37IV0,
	meta.Level37IV2, meta.Level40IV1, meta.Level43IV0, meta.Level44IV1, meta.Level44IV2,
}

// prepareELR makes min.insync.replicas the same for all before it decides who is
// eligible to lead.
func (d *decision) prepareELR(level int16) {
	if level == 0 {
		return
	}
	if _, set := d.im.Config(meta.ResourceBroker, "")[configMinInsyncReplicas]; !set {
		value := fmt.Sprint(d.env.MinInsyncReplicas)
		d.add(&meta.ConfigRecord{ResourceType: meta.ResourceBroker, Name: configMinInsyncReplicas, Value: &value})
	}
	for resource, values := range d.im.ConfigResources() {
		if _, set := values[configMinInsyncReplicas]; set && resource.Type == meta.ResourceBroker && resource.Name != "" {
			d.add(&meta.ConfigRecord{ResourceType: resource.Type, ResourceName: resource.Name, Name: configMinInsyncReplicas})
		}
	}
}
