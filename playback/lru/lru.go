// Package lru keeps the values that were used last, up to a total cost. It knows nothing of footage.
package lru

import (
	"container/list"
	"sync"
)

// A Cache keeps the values used last, up to a total cost. It is safe for concurrent use. Its lock is the last to be taken: it
// calls nothing that takes another.
type Cache[K comparable, V any] struct {
	max     int64
	evicted func(K, V) // called without the lock; may be nil

	mu    sync.Mutex
	cost  int64
	order list.List // of *item[K, V], the one used last in front
	items map[K]*list.Element

	hits, misses int64
}

// Stats says how a cache does.
type Stats struct {
	Items  int   `json:"items"`
	Cost   int64 `json:"cost"` // of the items
	Max    int64 `json:"max"`  // that they may cost
	Hits   int64 `json:"hits"`
	Misses int64 `json:"misses"`
}

type item[K comparable, V any] struct {
	key  K
	val  V
	cost int64
}

// New makes a cache of values that cost maxCost together. evicted, where it is not nil, is called with each value that is no
// longer kept, without the lock.
func New[K comparable, V any](maxCost int64, evicted func(K, V)) *Cache[K, V] {
	return &Cache[K, V]{max: maxCost, evicted: evicted, items: map[K]*list.Element{}}
}

// Get returns a value, which is the one used last then.
func (c *Cache[K, V]) Get(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[k]
	if !ok {
		c.misses++
		return v, false
	}
	c.hits++
	c.order.MoveToFront(e)
	return e.Value.(*item[K, V]).val, true
}

// Peek is Get, but does not count as a use.
func (c *Cache[K, V]) Peek(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[k]
	if ok {
		v = e.Value.(*item[K, V]).val
	}
	return v, ok
}

// Keep stores a value as Put does, unless the value alone costs more than the bound.
func (c *Cache[K, V]) Keep(k K, v V, cost int64) V {
	if cost > c.max {
		return v
	}
	return c.Put(k, v, cost)
}

// Stats says what the cache holds, and how it did.
func (c *Cache[K, V]) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{Items: len(c.items), Cost: c.cost, Max: c.max, Hits: c.hits, Misses: c.misses}
}

// Put adds a value, unless there is one by now, and returns the one that is kept.
func (c *Cache[K, V]) Put(k K, v V, cost int64) V {
	c.mu.Lock()
	if e, ok := c.items[k]; ok {
		c.mu.Unlock()
		if c.evicted != nil {
			c.evicted(k, v)
		}
		return e.Value.(*item[K, V]).val
	}
	c.items[k] = c.order.PushFront(&item[K, V]{k, v, cost})
	c.cost += cost
	out := c.shrinkLocked()
	c.mu.Unlock()
	c.evict(out)
	return v
}

// Remove drops the values for which drop is true.
func (c *Cache[K, V]) Remove(drop func(K, V) bool) {
	c.mu.Lock()
	var out []*item[K, V]
	for e := c.order.Front(); e != nil; {
		next := e.Next()
		if item := e.Value.(*item[K, V]); drop(item.key, item.val) {
			out = append(out, c.unlinkLocked(e))
		}
		e = next
	}
	c.mu.Unlock()
	c.evict(out)
}

// Replace puts a value in the place of the one that there is. A value that alone costs more than the bound is not stored.
func (c *Cache[K, V]) Replace(k K, v V, cost int64) {
	c.mu.Lock()
	var out []*item[K, V]
	if e, ok := c.items[k]; ok {
		out = append(out, c.unlinkLocked(e))
	}
	if cost <= c.max {
		c.items[k] = c.order.PushFront(&item[K, V]{k, v, cost})
		c.cost += cost
		out = append(out, c.shrinkLocked()...)
	}
	c.mu.Unlock()
	c.evict(out)
}

// shrinkLocked unlinks the values used longest ago until the cost is within bounds; the newest stays.
func (c *Cache[K, V]) shrinkLocked() (out []*item[K, V]) {
	for c.cost > c.max && c.order.Len() > 1 {
		out = append(out, c.unlinkLocked(c.order.Back()))
	}
	return out
}

func (c *Cache[K, V]) unlinkLocked(e *list.Element) *item[K, V] {
	item := c.order.Remove(e).(*item[K, V])
	delete(c.items, item.key)
	c.cost -= item.cost
	return item
}

func (c *Cache[K, V]) evict(out []*item[K, V]) {
	if c.evicted == nil {
		return
	}
	for _, item := range out {
		c.evicted(item.key, item.val)
	}
}
