package logdir

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// Identity tells whose directory this is. ClusterID is empty in a new directory until SetIdentity.
func (d *Dir) Identity() Identity {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.identity
}

// SetIdentity writes meta.properties, durably. A directory that belongs to a cluster or node keeps it (ErrOtherOwner); a zero
// DirectoryID keeps the one that it has.
func (d *Dir) SetIdentity(id Identity) error {
	has := d.Identity()
	if id.DirectoryID == ([16]byte{}) {
		id.DirectoryID = has.DirectoryID
	}
	if id == has && has.ClusterID != "" {
		return nil
	}
	if err := has.admits(id.NodeID, id.ClusterID); err != nil {
		return fmt.Errorf("data directory %s: %w", d.o.Path, err)
	}
	if id.ClusterID == "" || id.NodeID < 0 || reservedUUID(id.DirectoryID) {
		return fmt.Errorf("data directory %s: %w: cluster %q, node %d", d.o.Path, errMetaProperties, id.ClusterID, id.NodeID)
	}
	if err := d.writeIdentity(id); err != nil {
		return fmt.Errorf("data directory %s: %w", d.o.Path, err)
	}
	return nil
}

func (d *Dir) writeIdentity(id Identity) error {
	if err := d.writeWithReserve(metaPropertiesName, encodeMetaProperties(id, d.o.Now())); err != nil {
		return err
	}
	d.mu.Lock()
	d.identity = id
	d.mu.Unlock()
	return nil
}

// admits reports whether a directory with this identity may be used by that node of that cluster.
func (id Identity) admits(nodeID int32, clusterID string) error {
	if id.NodeID >= 0 && nodeID >= 0 && id.NodeID != nodeID {
		return fmt.Errorf("%w: %s says node.id=%d, the configuration says %d; set node.id to match, or give this node an empty directory",
			ErrOtherOwner, metaPropertiesName, id.NodeID, nodeID)
	}
	if id.ClusterID != "" && clusterID != "" && id.ClusterID != clusterID {
		return fmt.Errorf("%w: %s says cluster.id=%s, this is cluster %s; the directory was in use elsewhere",
			ErrOtherOwner, metaPropertiesName, id.ClusterID, clusterID)
	}
	return nil
}

// readIdentity reads meta.properties and checks it. A directory of a Kafka from before directory ids gets one.
func (d *Dir) readIdentity() error {
	b, err := vfs.ReadFile(d.disk, filepath.Join(d.o.Path, metaPropertiesName))
	if errors.Is(err, fs.ErrNotExist) {
		d.identity = Identity{NodeID: d.o.NodeID, DirectoryID: d.o.NewID()}
		return nil
	}
	if err != nil {
		return err
	}
	id, err := decodeMetaProperties(b)
	if err != nil {
		return err
	}
	if err := id.admits(d.o.NodeID, d.o.ClusterID); err != nil {
		return err
	}
	if id.NodeID < 0 {
		id.NodeID = d.o.NodeID
	}
	d.identity = id
	if id.DirectoryID != ([16]byte{}) {
		return nil
	}
	id.DirectoryID = d.o.NewID()
	d.identity = id
	if id.ClusterID == "" {
		return nil // version 0 without a cluster: SetIdentity writes it
	}
	return d.writeIdentity(id)
}
