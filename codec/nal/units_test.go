package nal

import (
	"fmt"
	"testing"
)

func TestSplitSample(t *testing.T) {
	for name, test := range map[string]struct {
		sample     string
		lengthSize int
		want       string
	}{
		"two":          {"\x00\x00\x00\x02ab\x00\x00\x00\x01c", 4, `["ab" "c"]`},
		"short length": {"\x02ab\x01c", 1, `["ab" "c"]`},
		"empty unit":   {"\x00\x00\x00\x01a", 2, `["a"]`},
		"none":         {"\x00\x00", 2, "no NAL unit in it"},
		"too long":     {"\x00\x03ab", 2, "NAL unit of 3 bytes, but 2 remain"},
		"remainder":    {"\x00\x01ab", 2, "1 bytes remain behind the last NAL unit"},
	} {
		units, err := SplitSample([]byte(test.sample), test.lengthSize)
		got := fmt.Sprintf("%q", units)
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
}
