package playback

import (
	"sort"
	"sync"
	"time"

	"nvrfs/media"
)

// calendar keeps the days that were asked for: each takes a while to find out. A day that it keeps never changes.
type calendar struct {
	loc *time.Location

	mu   sync.Mutex // held while nothing is computed
	days map[civilDay]*calendarDay
}

type civilDay struct {
	year  int
	month time.Month
	day   int
}

// calendarDay is a day with its hours.
type calendarDay struct {
	Span
	hours []Span
}

// calendarDays is what a calendar keeps: ten years in a few megabytes.
const calendarDays = 3700

// at returns the day that holds t90k. It must not be changed.
func (c *calendar) at(t90k int64) *calendarDay {
	t := media.ToTime(t90k).In(c.loc)
	var k civilDay
	k.year, k.month, k.day = t.Date()
	c.mu.Lock()
	d := c.days[k]
	c.mu.Unlock()
	if d != nil {
		return d
	}
	day := dayOf(t, c.loc)
	d = &calendarDay{day, hoursOf(day, c.loc)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.days) >= calendarDays || c.days == nil {
		c.days = map[civilDay]*calendarDay{}
	}
	c.days[k] = d
	return d
}

// hour returns the hour that holds t90k.
func (d *calendarDay) hour(t90k int64) Span { return d.hours[d.index(t90k)] }

// index returns the index of the hour that holds t90k.
func (d *calendarDay) index(t90k int64) int {
	return sort.Search(len(d.hours), func(i int) bool { return d.hours[i].To90k > t90k })
}
