//go:build !poison && !race

package wire

// poisoning says whether freed buffers are overwritten: in builds for the race detector and with the tag "poison".
const poisoning = false
