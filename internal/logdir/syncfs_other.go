//go:build !linux

package logdir

import "github.com/barnabas-mq/barnabas/internal/vfs"

// wholeDisk is nothing where there is no call that syncs a whole disk and tells of failures.
type wholeDisk struct{}

func openWholeDisk(vfs.FS, string) (*wholeDisk, error) { return nil, nil }

func (*wholeDisk) sync() error { return nil }

func (*wholeDisk) close() error { return nil }
