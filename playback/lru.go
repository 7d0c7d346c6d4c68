package playback

import (
	"container/list"
	"sync"
)

// lru keeps the values used last, up to a total cost. It is safe for concurrent use.
type lru[K comparable, V any] struct {
	max     int64
	evicted func(K, V) // called without the lock; may be nil

	mu    sync.Mutex
	cost  int64
	order list.List // of *lruItem[K, V], the one used last in front
	items map[K]*list.Element

	hits, misses int64
}

type lruItem[K comparable, V any] struct {
	key  K
	val  V
	cost int64
}

func newLRU[K comparable, V any](maxCost int64, evicted func(K, V)) *lru[K, V] {
	return &lru[K, V]{max: maxCost, evicted: evicted, items: map[K]*list.Element{}}
}

func (c *lru[K, V]) get(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[k]
	if !ok {
		c.misses++
		return v, false
	}
	c.hits++
	c.order.MoveToFront(e)
	return e.Value.(*lruItem[K, V]).val, true
}

// peek is get, which does not count as a use.
func (c *lru[K, V]) peek(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[k]
	if ok {
		v = e.Value.(*lruItem[K, V]).val
	}
	return v, ok
}

// keep is put, but for what alone would cost more than the bound.
func (c *lru[K, V]) keep(k K, v V, cost int64) V {
	if cost > c.max {
		return v
	}
	return c.put(k, v, cost)
}

// stats says what the cache holds, and how it did.
func (c *lru[K, V]) stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CacheStats{Items: len(c.items), Cost: c.cost, Max: c.max, Hits: c.hits, Misses: c.misses}
}

// put adds a value, unless there is one by now, and returns the one that is kept.
func (c *lru[K, V]) put(k K, v V, cost int64) V {
	c.mu.Lock()
	if e, ok := c.items[k]; ok {
		c.mu.Unlock()
		if c.evicted != nil {
			c.evicted(k, v)
		}
		return e.Value.(*lruItem[K, V]).val
	}
	c.items[k] = c.order.PushFront(&lruItem[K, V]{k, v, cost})
	c.cost += cost
	out := c.shrinkLocked()
	c.mu.Unlock()
	c.evict(out)
	return v
}

// remove drops the values for which drop is true.
func (c *lru[K, V]) remove(drop func(K, V) bool) {
	c.mu.Lock()
	var out []*lruItem[K, V]
	for e := c.order.Front(); e != nil; {
		next := e.Next()
		if item := e.Value.(*lruItem[K, V]); drop(item.key, item.val) {
			out = append(out, c.unlinkLocked(e))
		}
		e = next
	}
	c.mu.Unlock()
	c.evict(out)
}

// replace puts a value in the place of the one that there is, but for what alone would cost more than the bound.
func (c *lru[K, V]) replace(k K, v V, cost int64) {
	c.mu.Lock()
	var out []*lruItem[K, V]
	if e, ok := c.items[k]; ok {
		out = append(out, c.unlinkLocked(e))
	}
	if cost <= c.max {
		c.items[k] = c.order.PushFront(&lruItem[K, V]{k, v, cost})
		c.cost += cost
		out = append(out, c.shrinkLocked()...)
	}
	c.mu.Unlock()
	c.evict(out)
}

// shrinkLocked unlinks the values used longest ago until the cost is within bounds; the newest stays.
func (c *lru[K, V]) shrinkLocked() (out []*lruItem[K, V]) {
	for c.cost > c.max && c.order.Len() > 1 {
		out = append(out, c.unlinkLocked(c.order.Back()))
	}
	return out
}

func (c *lru[K, V]) unlinkLocked(e *list.Element) *lruItem[K, V] {
	item := c.order.Remove(e).(*lruItem[K, V])
	delete(c.items, item.key)
	c.cost -= item.cost
	return item
}

func (c *lru[K, V]) evict(out []*lruItem[K, V]) {
	if c.evicted == nil {
		return
	}
	for _, item := range out {
		c.evicted(item.key, item.val)
	}
}
