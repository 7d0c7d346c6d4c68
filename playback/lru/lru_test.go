package lru

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestLRU(t *testing.T) {
	var out []string
	c := New(10, func(k string, v int) { out = append(out, fmt.Sprint(k, v)) })
	c.Put("a", 1, 4)
	c.Put("b", 2, 4)
	if v, ok := c.Get("a"); !ok || v != 1 { // now b was used longest ago
		t.Error("a is gone")
	}
	c.Put("c", 3, 4)
	if _, ok := c.Get("b"); ok || !slices.Equal(out, []string{"b2"}) {
		t.Errorf("evicted %q", out)
	}
	if v := c.Put("a", 9, 4); v != 1 || out[1] != "a9" {
		t.Errorf("a second a: %d, evicted %q", v, out)
	}
	c.Put("big", 4, 100) // the newest stays, whatever it costs
	if v, ok := c.Get("big"); !ok || v != 4 || c.cost != 100 || len(c.items) != 1 {
		t.Errorf("cost %d, %d items", c.cost, len(c.items))
	}
	c.Put("d", 5, 1)
	c.Remove(func(k string, _ int) bool { return k == "d" })
	if _, ok := c.Get("d"); ok || c.cost != 0 || c.order.Len() != 0 {
		t.Errorf("cost %d, %d items", c.cost, len(c.items))
	}
	if want := "b2 a9 a1 c3 big4 d5"; len(out) != 6 || !sameWords(out, want) {
		t.Errorf("evicted %q, want %s", out, want)
	}
}

func sameWords(got []string, want string) bool {
	return slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(strings.Fields(want))))
}
