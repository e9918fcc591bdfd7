// Package tidy holds the rules of this code base that the compiler does not know, as tests: which package may import
// which, which packages are pure, how long files and functions may be. It has no code of its own.
package tidy
