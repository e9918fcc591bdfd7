//go:build !linux

package logdir

func (d *Dir) syncDisk() {}
