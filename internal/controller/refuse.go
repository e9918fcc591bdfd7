package controller

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// refusal is why a part of a request was not done, as the client is told.
type refusal struct {
	code *kerr.Error
	text string // "": the answer has no message
}

func (r *refusal) Error() string {
	if r.text == "" {
		return r.code.Error()
	}
	return r.text
}

// Unwrap is the protocol error.
func (r *refusal) Unwrap() error { return r.code }

// refuse is an error with a protocol code and the message that the client sees.
func refuse(code *kerr.Error, format string, args ...any) error {
	return &refusal{code: code, text: fmt.Sprintf(format, args...)}
}

// refuseBare is an error whose answer has no message.
func refuseBare(code *kerr.Error) error { return &refusal{code: code} }

// told is what an answer says of err: 0 and null when it is nil. An error that
// has no protocol code is a bug.
func told(err error) (int16, *string) {
	if err == nil {
		return 0, nil
	}
	var r *refusal
	if !errors.As(err, &r) {
		panic(fmt.Sprintf("controller: an error without a code: %v", err))
	}
	if r.text == "" {
		return r.code.Code, nil
	}
	return r.code.Code, &r.text
}
