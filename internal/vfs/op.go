package vfs

import (
	"path/filepath"
	"strconv"
)

// OpKind is what an operation does.
type OpKind uint8

// The operations, as hooks of Mem and decisions of a faulty disk see them. Lookups change nothing; those from OpCreate to
// OpSyncDir do, and are what Mem counts as changes.
const (
	OpOpen OpKind = iota // of a file that exists, without O_TRUNC
	OpRead
	OpStat // of a name or of an open file's size
	OpReadDir
	OpLock
	OpFree
	OpClose
	OpPreallocate
	OpCreate // a file that did not exist
	OpMkdir
	OpWrite
	OpTruncate
	OpRename
	OpRemove
	OpSync
	OpSyncDir
)

var opNames = [...]string{
	"open", "read", "stat", "readdir", "lock", "free", "close", "preallocate",
	"create", "mkdir", "write", "truncate", "rename", "remove", "sync", "syncdir",
}

func (k OpKind) String() string { return opNames[k] }

// Changes says whether operations of this kind change the disk, or what of it is durable.
func (k OpKind) Changes() bool { return k >= OpCreate }

// Op is one operation on a disk.
type Op struct {
	Kind    OpKind
	Name    string // as given; of an open file, the name that it was opened by
	NewName string // of a rename
	Offset  int64  // of a read or write; the new size of a truncation
	Length  int
}

func (o Op) String() string {
	s := o.Kind.String() + " " + o.Name
	switch o.Kind {
	case OpRename:
		s += " " + o.NewName
	case OpRead, OpWrite, OpPreallocate:
		s += " " + strconv.FormatInt(o.Offset, 10) + "+" + strconv.Itoa(o.Length)
	case OpTruncate:
		s += " " + strconv.FormatInt(o.Offset, 10)
	}
	return s
}

// Mutation names a kind of sync that is to be left out, so that a suite that takes the power away can show that it would notice.
type Mutation struct {
	Kind    OpKind // OpSync or OpSyncDir
	Pattern string // of filepath.Match, for the last element of the name; "" is any
}

func (m Mutation) String() string { return "without " + m.Kind.String() + " of " + m.Pattern }

// Matches says whether the mutation leaves this operation out.
func (m Mutation) Matches(op Op) bool {
	if op.Kind != m.Kind {
		return false
	}
	if m.Pattern == "" {
		return true
	}
	ok, err := filepath.Match(m.Pattern, filepath.Base(op.Name))
	return err == nil && ok
}

// WithoutSyncs returns fsys with the mutation's syncs pretended: they report success and do nothing.
func WithoutSyncs(fsys FS, m Mutation) FS {
	return NewFaulty(fsys, func(op Op) error {
		if m.Matches(op) {
			return ErrSkip
		}
		return nil
	})
}
