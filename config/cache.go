package config

import "fmt"

// DefaultCache is how much memory caches take where the file does not say.
const DefaultCache = 128_000_000

// smallestCache is enough to list and play, slowly.
const smallestCache = 4_000_000

// ParseCache reads how much memory caches may take.
func ParseCache(s string) (int64, error) {
	n, err := parseBytes(s)
	if err != nil || n < smallestCache {
		return 0, fmt.Errorf("%q; want a size of 4MB or more, such as 128MB", s)
	}
	return n, nil
}

func readCache(v yamlValue) (int64, error) {
	text, err := v.number("a size such as 128MB")
	if err != nil {
		return 0, err
	}
	n, err := ParseCache(text)
	if err != nil {
		return 0, v.errorf("%w", err)
	}
	return n, nil
}
