//go:build !unix

package node

func maxDescriptors() int { return 0 }
