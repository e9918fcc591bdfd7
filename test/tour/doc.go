// Package tour pastes README's commands, as they are written, into a clean clone on a machine of its own: an empty home
// directory and a network with nothing but a loopback. run.sh is the way in.
package tour
