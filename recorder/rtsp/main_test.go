package rtsp

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain has more tests run at a time than there are processors, because most of their time they wait for a camera.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}
