package batch

// MaxDecodedBytes is how much the records of one batch may decompress to unless options say otherwise. It does not depend
// on a ratio: what it bounds is the work that one request can make us do.
const MaxDecodedBytes = 256 << 20

// Origin is who brings a batch.
type Origin int8

const (
	FromClient      Origin = iota // a producer: everything is checked
	FromCoordinator               // this broker itself: control batches and marks of producers are allowed
	FromReplication               // the leader, who checked: frames and checksums only, several batches, offsets stay
)

// CheckOptions are a topic's settings and the circumstances of an append.
type CheckOptions struct {
	Codec          Codec // compression.type: CodecProducer keeps the producer's
	Levels         Levels
	Compacted      bool  // cleanup.policy has compact: records need keys
	LogAppendTime  bool  // message.timestamp.type
	BeforeMaxMs    int64 // message.timestamp.before.max.ms
	AfterMaxMs     int64 // message.timestamp.after.max.ms
	NowMs          int64
	MaxBatchBytes  int   // max.message.bytes; 0: no limit
	MaxDecoded     int   // 0: MaxDecodedBytes
	ProduceVersion int16 // of the request, for clients
	Origin         Origin
}

// Checked is what Check lets pass.
type Checked struct {
	// Bytes are whole batches of magic 2, ready for offsets and epoch to be written into them. They are the memory that Check
	// was given, perhaps changed in place (timestamps, checksum), unless Rebuilt. Empty only if an old producer
	// (Produce before version 3) sent an empty message set, to which Kafka answered success.
	Bytes []byte
	// Header is the header of the first batch in Bytes.
	Header Header
	// MaxTimestamp is the largest timestamp of the records, or the append time.
	MaxTimestamp int64
	// DeltaOfMaxTimestamp is the offset of the first record with that timestamp, counted from the base offset.
	DeltaOfMaxTimestamp int32
	// Rebuilt says that Bytes is new memory: recompressed, converted, or given right offsets.
	Rebuilt bool
}
