package logdir

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// Glance is what a data directory shows to somebody who has not opened it.
type Glance struct {
	Owned bool // it has a meta.properties: a broker has had it, or it was formatted for one
	Logs  int  // folders of partitions
}

// GlanceAt looks at a directory without locking or changing it. One that is not there shows nothing.
func GlanceAt(fsys vfs.FS, path string) (Glance, error) {
	names, err := fsys.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Glance{}, nil
	}
	if err != nil {
		return Glance{}, err
	}
	var g Glance
	for _, name := range names {
		if name.Name() == metaPropertiesName {
			g.Owned = true
		}
		if k, kind := parseFolder(name.Name()); name.IsDir() && kind == folderLive && k.topic != clusterMetadataTopic {
			g.Logs++
		}
	}
	return g, nil
}

// MetadataFolder is where the metadata log lies in a directory that holds it.
func MetadataFolder(path string) string { return filepath.Join(path, clusterMetadataTopic+"-0") }
