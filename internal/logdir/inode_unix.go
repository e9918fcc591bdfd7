//go:build unix

package logdir

import (
	"fmt"
	"io/fs"
	"syscall"
)

// inode tells a file from its copies, as far as the disk knows such a thing.
func inode(info fs.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d:%d", s.Dev, s.Ino)
	}
	return "-"
}
