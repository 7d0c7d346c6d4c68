package demux

// A matrix is what the transformation of a track or a movie (ISO/IEC 14496-12 8.2.2.2) does to directions: the rows say where
// right and down come to point.
type matrix [2][2]float64

func matrixOf(m [9]int32) matrix {
	return matrix{{float64(m[0]), float64(m[1])}, {float64(m[3]), float64(m[4])}}
}

// then is the transformation m, and n after it.
func (m matrix) then(n matrix) (both matrix) {
	for i := range 2 {
		for j := range 2 {
			both[i][j] = m[i][0]*n[0][j] + m[i][1]*n[1][j]
		}
	}
	return both
}

// rotation returns by how many degrees a picture is turned clockwise, to the nearest quarter, which is all that players show;
// mirrored says that it is mirrored besides, as few players show it. It follows where down comes to point, so that a picture
// that is only mirrored left to right stays upright.
func (m matrix) rotation() (degrees uint16, mirrored bool) {
	right, down := m[0], m[1]
	mirrored = right[0]*down[1]-right[1]*down[0] < 0
	x, y := down[0], down[1]
	switch {
	case x < 0 && -x > abs(y):
		return 90, mirrored
	case x > 0 && x > abs(y):
		return 270, mirrored
	case y < 0:
		return 180, mirrored
	}
	return 0, mirrored
}

func abs(x float64) float64 { return max(x, -x) }
