//go:build race

package logdir

// underRace says that the race detector makes everything slow: sizes and times are those of something else.
const underRace = true
