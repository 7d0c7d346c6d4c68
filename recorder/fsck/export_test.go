package fsck

import (
	"context"
	"io"

	"nvrfs/recorder/volume"
	"nvrfs/schema"
)

// CutOffReason is that of runs whose recorder did not live to end them.
const CutOffReason = cutOffReason

// WholeBytes is how many bytes of a sample file are whole.
func WholeBytes(src io.ReaderAt, size int64) (int64, error) {
	found, err := readSampleFile(src, size)
	if err != nil {
		return 0, err
	}
	return found.Bytes, nil
}

// CheckVolumes is Check of volumes that are open.
func CheckVolumes(ctx context.Context, db *schema.DB, volumes map[int64]*volume.Volume, o CheckOptions) error {
	c := checker{db: db, volumes: volumes, o: o}
	return c.run(ctx)
}
