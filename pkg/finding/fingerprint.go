package finding

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
)

// V1 names this way of making fingerprints, in Finding.Fingerprints.
const V1 = "scangate/v1"

// Fingerprint gives the scangate/v1 fingerprint of f: SHA-256, in hex, over scanner, rule, path, text of the line and
// occurrence, each preceded by its length in eight bytes. White space around the text does not count, so a finding
// keeps its fingerprint when its line is moved, or indented anew; line numbers, level and message are not in it.
// occurrence counts from 0 among findings of the same scanner, rule, path and text.
func Fingerprint(f Finding, line []byte, occurrence int) string {
	h := sha256.New()
	for _, part := range [][]byte{
		[]byte(f.Scanner), []byte(f.Rule), []byte(f.Path), bytes.TrimSpace(line), []byte(strconv.Itoa(occurrence)),
	} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Assign sets the scangate/v1 fingerprint of each finding, whatever their order. line gives a line of a file of the
// snapshot, counted from 1; where it has none, and for findings without a line, the text is empty.
// Occurrences are numbered in the order of Compare.
func Assign(fs []Finding, line func(path string, n int) ([]byte, bool)) {
	order := make([]int, len(fs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return Compare(fs[a], fs[b]) })
	seen := map[string]int{}
	for _, i := range order {
		var text []byte
		if fs[i].StartLine > 0 {
			if t, ok := line(fs[i].Path, fs[i].StartLine); ok {
				text = t
			}
		}
		first := Fingerprint(fs[i], text, 0)
		all := map[string]string{}
		for k, v := range fs[i].Fingerprints {
			all[k] = v
		}
		all[V1] = Fingerprint(fs[i], text, seen[first])
		seen[first]++
		fs[i].Fingerprints = all
	}
}
