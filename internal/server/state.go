package server

import "fmt"

// state is where a connection is in its life. TLS and SASL have their places here although no listener needs them yet.
type state uint8

const (
	stateAccepted       state = iota // Nothing was read.
	stateHandshaking                 // TLS is being negotiated.
	stateAuthenticating              // Only ApiVersions, SaslHandshake and SaslAuthenticate are served.
	stateOpen                        // Everything is served.
	stateDraining                    // What was received whole is served, nothing more is read.
	stateClosed                      // The socket is closed; what was parked is being let go of.
)

// transitions lists where each state may lead. From anywhere a connection may close.
var transitions = [...][]state{
	stateAccepted:       {stateHandshaking, stateAuthenticating, stateOpen, stateClosed},
	stateHandshaking:    {stateAuthenticating, stateOpen, stateClosed},
	stateAuthenticating: {stateOpen, stateDraining, stateClosed},
	stateOpen:           {stateAuthenticating, stateDraining, stateClosed}, // Back for re-authentication (KIP-368).
	stateDraining:       {stateClosed},
	stateClosed:         {},
}

// to moves on; a transition that is not listed is a bug.
func (s *state) to(next state) {
	for _, legal := range transitions[*s] {
		if legal == next {
			*s = next
			return
		}
	}
	panic(fmt.Sprintf("server: a connection cannot go from state %d to %d", *s, next))
}
