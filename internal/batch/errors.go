package batch

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Errors about the frame of a batch. All wrap kerr.CorruptMessage, which clients retry: the bytes may have been damaged
// on their way. What is wrong under a matching checksum was sent like that, and is kerr.InvalidRecord, which ends retries.
var (
	ErrShort  = fmt.Errorf("batch ends before its length: %w", kerr.CorruptMessage)
	ErrMagic  = fmt.Errorf("batch of unknown magic: %w", kerr.CorruptMessage)
	ErrLength = fmt.Errorf("batch of impossible length: %w", kerr.CorruptMessage)
	ErrCRC    = fmt.Errorf("checksum does not match: %w", kerr.CorruptMessage)
)

// ErrDecodedTooLarge means that the records would decompress to more than the limit. It wraps kerr.MessageTooLarge,
// upon which producers split a batch.
var ErrDecodedTooLarge = fmt.Errorf("records decompress to more than the limit: %w", kerr.MessageTooLarge)

// errRecordStructure is what the walks return on their hot path; whoever reports it says which batch.
var errRecordStructure = invalid("record does not parse")

// invalid is an error that wraps kerr.InvalidRecord.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), kerr.InvalidRecord)
}

// undecodable says that a codec refused the payload.
func undecodable(c Codec, err error) error {
	if errors.Is(err, ErrDecodedTooLarge) {
		return err
	}
	return fmt.Errorf("%s payload does not decompress (%v): %w", c, err, kerr.InvalidRecord)
}

// MaxRecordErrors bounds the records that RecordErrors names; a batch may hold a hundred thousand bad ones.
const MaxRecordErrors = 1000

// RecordErrors says which records of a batch were refused, for Produce v8 and later. The whole batch is refused.
type RecordErrors struct {
	Cause   error // kerr.InvalidTimestamp if any record's timestamp is out of range, else kerr.InvalidRecord
	Records []RecordError
	Total   int // may be more than are named
}

// RecordError is why one record was refused.
type RecordError struct {
	Index   int32 // of the record in its batch
	Message string
}

func (e *RecordErrors) Error() string {
	if errors.Is(e.Cause, kerr.InvalidTimestamp) {
		return "One or more records have been rejected due to invalid timestamp"
	}
	return fmt.Sprintf("One or more records have been rejected due to %d record errors, the first: %s",
		e.Total, e.Records[0].Message)
}

// Unwrap returns the kerr error for the client.
func (e *RecordErrors) Unwrap() error { return e.Cause }
