//go:build unix && !linux

package server

// setLowWater is Linux's: elsewhere a high mark may exceed what the socket's buffer holds, and nobody would be woken.
func setLowWater(int, int) bool { return false }
