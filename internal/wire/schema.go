package wire

// kind is what a field looks like on the wire.
type kind uint8

const (
	fixed     kind = iota // n bytes, several fields of fixed size merged
	text                  // a string
	blob                  // bytes or records
	numbers               // an array of values of n bytes each
	array                 // an array of fields[0], each n bytes in the decoder's memory
	structure             // a struct; a nullable one is preceded by a byte that is -1 for null
	tagged                // fields[0], present as tag n
)

// field is one field of a body in one range of versions.
type field struct {
	kind   kind
	null   bool
	n      int
	fields []field
}

// schema is the shape of a request body in the versions min to max.
type schema struct {
	min, max int16
	flexible bool
	fields   []field
}

// schemaOf returns the shape of a request body; false where the codec does not know the API or the version.
func schemaOf(key, version int16) (*schema, bool) {
	if key < 0 || int(key) >= len(schemas) {
		return nil, false
	}
	for i := range schemas[key] {
		if s := &schemas[key][i]; s.min <= version && version <= s.max {
			return s, true
		}
	}
	return nil, false
}
