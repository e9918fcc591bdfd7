//go:build !race

package logdir

const underRace = false
