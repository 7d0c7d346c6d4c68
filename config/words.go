package config

import (
	"fmt"
	"strings"
)

// whichOf says which of known was probably meant by word or, if that is not clear, which there are.
func whichOf(word string, known []string) string {
	if near := Closest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "want " + OrList(known)
}

// Closest returns the candidate that word is probably a misspelling of, or "".
func Closest(word string, candidates []string) string {
	best, bestDistance := "", len(word)/3+1
	for _, candidate := range candidates {
		if d := editDistance(strings.ToLower(word), candidate); d <= bestDistance && d < len(candidate) {
			if best == "" || d < bestDistance {
				best, bestDistance = candidate, d
			}
		}
	}
	return best
}

// editDistance is Levenshtein's: how many bytes to insert, delete or replace to make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1) // of the matrix: distances from a[:i] to each b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// OrList joins words as in "tcp, udp or auto".
func OrList(words []string) string {
	last := len(words) - 1
	if last <= 0 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
