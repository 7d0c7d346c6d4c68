package recorder

import (
	"fmt"
	"hash"
	"io"

	"lukechampine.com/blake3"
)

// newDigest starts the digest of a sample file's header and fragments, without the seal: BLAKE3, 32 bytes.
func newDigest() hash.Hash { return blake3.New(32, nil) }

// digestRange adds the bytes [from, to) of a sample file to a digest.
func digestRange(h hash.Hash, src io.ReaderAt, from, to int64) error {
	n, err := io.Copy(h, io.NewSectionReader(src, from, to-from))
	if err == nil && n < to-from {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("read the sample file for its digest: %w", err)
	}
	return nil
}
