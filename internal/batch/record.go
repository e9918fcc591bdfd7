package batch

// Record is one record. A nil Key or Value is null, an empty one is empty.
type Record struct {
	Offset    int64
	Timestamp int64
	Key       []byte
	Value     []byte
	Headers   []RecordHeader
}

// RecordHeader is a header of a record. A nil Value is null.
type RecordHeader struct {
	Key   string
	Value []byte
}
