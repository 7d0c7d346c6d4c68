package recorder

// showsWithin90k is how long a disk may take to show that bytes are free: btrfs and ZFS free them with their next transaction, up to
// half a minute later.
const showsWithin90k = 60 * 90000

// freed remembers bytes that were removed from disks, of which the disks do not show yet that they are free. They count as free,
// so that retention does not delete more footage for the same need; for a minute, because then they are not coming: a snapshot
// keeps them, or other programs took the space. It is for one goroutine.
type freed struct {
	removed []freedBytes
}

type freedBytes struct {
	disk  uint64
	bytes int64
	at90k int64
}

// add notes that bytes were removed from a disk, which then had shown more free bytes than before. Others write meanwhile, so
// that most of the bytes is enough.
func (f *freed) add(disk uint64, bytes, shown, now90k int64) {
	if shown < bytes-bytes/4 {
		f.removed = append(f.removed, freedBytes{disk, bytes - max(0, shown), now90k})
	}
}

// expected returns how many bytes of a disk are about to show as free.
func (f *freed) expected(disk uint64, now90k int64) (bytes int64) {
	left := f.removed[:0]
	for _, x := range f.removed {
		if now90k-x.at90k >= showsWithin90k {
			continue
		}
		left = append(left, x)
		if x.disk == disk {
			bytes += x.bytes
		}
	}
	f.removed = left
	return bytes
}
