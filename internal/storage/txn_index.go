package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sort"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

const (
	// txnEntrySize is the size of an entry: version 2, producer id, first, last and last stable offset 8 each.
	txnEntrySize    = 34
	txnEntryVersion = 0
	// maxAbortedTransactions bounds one answer: 13 MB of it would not fit a response anyway.
	maxAbortedTransactions = 400_000
)

func appendTxnEntry(b []byte, a AbortedTransaction) []byte {
	b = binary.BigEndian.AppendUint16(b, txnEntryVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(a.ProducerID))
	b = binary.BigEndian.AppendUint64(b, uint64(a.FirstOffset))
	b = binary.BigEndian.AppendUint64(b, uint64(a.LastOffset))
	return binary.BigEndian.AppendUint64(b, uint64(a.LastStableOffset))
}

func parseTxnEntry(b []byte) (AbortedTransaction, error) {
	if version := binary.BigEndian.Uint16(b); version != txnEntryVersion {
		return AbortedTransaction{}, fmt.Errorf("transaction index entry of version %d: %w", version, errBadIndex)
	}
	return AbortedTransaction{
		ProducerID:       int64(binary.BigEndian.Uint64(b[2:])),
		FirstOffset:      int64(binary.BigEndian.Uint64(b[10:])),
		LastOffset:       int64(binary.BigEndian.Uint64(b[18:])),
		LastStableOffset: int64(binary.BigEndian.Uint64(b[26:])),
	}, nil
}

// countAborted finds out how many entries the transaction index has; most segments have no such file.
func (s *segment) countAborted() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.txnEntries >= 0 {
		return s.txnEntries, nil
	}
	info, err := s.place.disk.Stat(s.path(txnIndexFile))
	switch {
	case errors.Is(err, os.ErrNotExist):
		s.txnEntries = 0
	case err != nil:
		return 0, fmt.Errorf("segment %d: %w", s.base, err)
	default:
		s.txnEntries = int(info.Size() / txnEntrySize)
	}
	return s.txnEntries, nil
}

// appendAborted writes entries behind the others. undo takes them away again: an index entry must not outlive the failed
// write of its marker.
func (s *segment) appendAborted(aborted []AbortedTransaction) (undo func(), err error) {
	n, err := s.countAborted()
	if err != nil || len(aborted) == 0 {
		return func() {}, err
	}
	var b []byte
	for _, a := range aborted {
		b = appendTxnEntry(b, a)
	}
	position := int64(n) * txnEntrySize
	err = s.withFile(txnIndexFile, true, func(f vfs.File) error {
		_, err := f.WriteAt(b, position)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("segment %d: transaction index: %w", s.base, err)
	}
	s.setAborted(n + len(aborted))
	return func() { s.setAborted(n) }, nil
}

// setAborted sets the number of entries that count; what follows them in the file is overwritten or cut by sealing.
func (s *segment) setAborted(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.txnEntries = n
}

// truncateAborted keeps the transactions that ended below an offset.
func (s *segment) truncateAborted(to int64) error {
	n, err := s.countAborted()
	if err != nil || n == 0 {
		return err
	}
	return s.withFile(txnIndexFile, false, func(f vfs.File) error {
		keep := 0
		if to > s.base { // else none is kept, whatever the entries hold
			if keep, err = searchAborted(f, n, func(a AbortedTransaction) bool { return a.LastOffset >= to }); err != nil {
				return err
			}
		}
		s.setAborted(keep)
		return f.Truncate(int64(keep) * txnEntrySize)
	})
}

// trimAborted makes the file's size that of its entries.
func (s *segment) trimAborted() error {
	n, err := s.countAborted()
	if err != nil {
		return err
	}
	if there, err := s.exists(txnIndexFile); err != nil || !there {
		return err
	}
	return s.withFile(txnIndexFile, false, func(f vfs.File) error {
		size, err := f.Size()
		if err != nil || size == int64(n)*txnEntrySize {
			return err
		}
		return f.Truncate(int64(n) * txnEntrySize)
	})
}

// collectAborted appends the transactions with records in [from, below) to those of earlier segments. complete says that
// later segments hold none: an entry was stable beyond the bound.
func (s *segment) collectAborted(to []AbortedTransaction, from, below int64) (out []AbortedTransaction, complete bool, err error) {
	n, err := s.countAborted()
	if err != nil || n == 0 {
		return to, false, err
	}
	err = s.withFile(txnIndexFile, false, func(f vfs.File) error {
		at, err := searchAborted(f, n, func(a AbortedTransaction) bool { return a.LastOffset >= from })
		if err != nil {
			return err
		}
		buf := make([]byte, scratchSize/txnEntrySize*txnEntrySize)
		for at < n && !complete {
			b := buf[:min(len(buf), (n-at)*txnEntrySize)]
			if _, err := f.ReadAt(b, int64(at)*txnEntrySize); err != nil {
				return err
			}
			for ; len(b) > 0 && !complete; b = b[txnEntrySize:] {
				a, err := parseTxnEntry(b)
				if err != nil {
					return err
				}
				if a.FirstOffset < below {
					to = append(to, a)
				}
				complete = a.LastStableOffset >= below || len(to) == maxAbortedTransactions
				at++
			}
		}
		return nil
	})
	if err != nil {
		return to, false, fmt.Errorf("segment %d: transaction index: %w", s.base, err)
	}
	return to, complete, nil
}

// searchAborted returns the first of n entries that has a property which all later ones have, too; n if none has.
func searchAborted(f vfs.File, n int, has func(AbortedTransaction) bool) (int, error) {
	var failed error
	var b [txnEntrySize]byte
	at := sort.Search(n, func(i int) bool {
		if failed != nil {
			return true
		}
		var a AbortedTransaction
		if _, failed = f.ReadAt(b[:], int64(i)*txnEntrySize); failed == nil {
			a, failed = parseTxnEntry(b[:])
		}
		return failed != nil || has(a)
	})
	return at, failed
}
