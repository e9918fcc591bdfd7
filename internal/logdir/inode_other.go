//go:build !unix

package logdir

import "io/fs"

func inode(fs.FileInfo) string { return "-" }
