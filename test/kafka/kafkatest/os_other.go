//go:build !unix

package kafkatest

// lock does nothing: the suites run on Unix.
func lock(string) (unlock func(), err error) { return func() {}, nil }

func running(int) bool { return true }
