package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/logdir"
)

var (
	errMetadataElsewhere = errors.New("the cluster's metadata lies elsewhere")
	errMetadataMissing   = errors.New("the cluster's metadata is missing")
)

// placeMetadata settles where the metadata log lies, and refuses to start where it seems to lie somewhere else: to a node
// that begins with empty metadata every log is one of an unknown topic. It comes before anything is opened, so a start
// that is refused has changed nothing.
func (n *Node) placeMetadata(context.Context) error {
	v := n.live.values()
	dirs := v.LogDirs()
	n.metadataDir = dirs[0]
	if dir := config.MetadataLogDir; dir.IsSet(v) && dir.Of(v) != "" {
		n.metadataDir = dir.Of(v)
	}
	if err := n.refuseMetadataIn(dirs); err != nil {
		return err
	}
	return n.refuseLogsWithoutMetadata(dirs)
}

// refuseMetadataIn refuses a metadata log in a data directory that is not the one for it.
func (n *Node) refuseMetadataIn(dirs []string) error {
	for _, dir := range dirs {
		folder := logdir.MetadataFolder(dir)
		info, err := n.options.FS.Stat(folder)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return fmt.Errorf("data directory %s: %w", dir, err)
		case !n.isMetadataFolder(folder, info):
			return fmt.Errorf("%w: %s is in data directory %s, but the metadata directory is %s. "+
				"Was log.dirs put in another order, or metadata.log.dir changed? Set metadata.log.dir=%s to use the metadata "+
				"that is there; if it is that of %s which is right, move %s out of the data directories",
				errMetadataElsewhere, filepath.Base(folder), dir, n.metadataDir, dir, n.metadataDir, folder)
		}
	}
	return nil
}

// isMetadataFolder says that a folder is the metadata log's, also by another path.
func (n *Node) isMetadataFolder(folder string, info fs.FileInfo) bool {
	ours := logdir.MetadataFolder(n.metadataDir)
	if filepath.Clean(folder) == filepath.Clean(ours) {
		return true
	}
	other, err := n.options.FS.Stat(ours)
	return err == nil && os.SameFile(info, other)
}

// refuseLogsWithoutMetadata refuses to begin a new cluster where there was one. A first start that was cut short is
// known by the metadata folder, which is made before anything else, and a formatted directory by having no logs.
func (n *Node) refuseLogsWithoutMetadata(dirs []string) error {
	held, err := n.options.FS.ReadDir(logdir.MetadataFolder(n.metadataDir))
	if len(held) > 0 {
		return nil
	}
	begun := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("metadata directory %s: %w", n.metadataDir, err)
	}
	own, err := logdir.GlanceAt(n.options.FS, n.metadataDir)
	if err != nil {
		return fmt.Errorf("metadata directory %s: %w", n.metadataDir, err)
	}
	for _, dir := range dirs {
		seen, err := logdir.GlanceAt(n.options.FS, dir)
		if err != nil {
			return fmt.Errorf("data directory %s: %w", dir, err)
		}
		if seen.Logs > 0 || seen.Owned && !own.Owned && !begun {
			return fmt.Errorf("%w: nothing is in %s, but data directory %s was in use and holds %d logs, which would all be "+
				"of unknown topics. Is the disk of %s not mounted, or was log.dirs or metadata.log.dir changed? To begin a new cluster, "+
				"give it data directories that are empty",
				errMetadataMissing, logdir.MetadataFolder(n.metadataDir), dir, seen.Logs, n.metadataDir)
		}
	}
	return nil
}
