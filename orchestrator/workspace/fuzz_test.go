package workspace

import (
	"slices"
	"strings"
	"testing"
)

func FuzzParseIndex(f *testing.F) {
	for _, version := range []byte{2, 3, 4} {
		seed := append([]byte("DIRC\x00\x00\x00"), version, 0, 0, 0, 1)
		seed = append(seed, make([]byte, 62)...)
		f.Add(append(append(seed, "a/b\x00\x00\x00\x00\x00\x00\x00"...), make([]byte, 20)...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := parseIndex(data)
		if err != nil {
			return
		}
		for _, p := range x.paths {
			if dir := dirOf(p); dir != "" && !x.below(dir) || !x.has(p) {
				t.Errorf("%q is in the index and not found", p)
			}
		}
		if !slices.IsSorted(x.paths) {
			t.Error("not sorted")
		}
	})
}

func FuzzParseIgnore(f *testing.F) {
	f.Add("*.log\n!/keep\\ \n[[:alpha:]/**/x\n", "a/b.log")
	f.Add("a**/b\n**/\n\\\n[]-a]", "ax/b")
	f.Fuzz(func(t *testing.T, text, path string) {
		base := baseOf(path)
		was := parseIgnore([]byte(text), "", nil).ignores(path, base, false)
		// The last rule wins: whatever came before, a rule for everything decides.
		if !parseIgnore([]byte(text+"\n?*\n"), "", nil).ignores(path, base, false) && base != "" {
			t.Errorf("%q is not ignored by a last rule for everything", path)
		}
		if base != "" && parseIgnore([]byte(text+"\n!?*\n"), "", nil).ignores(path, base, false) {
			t.Errorf("%q is ignored against the last rule", path)
		}
		if strings.TrimSpace(text) == "" && was {
			t.Errorf("%q is ignored by nothing", path)
		}
	})
}

func TestAHostilePatternTakesNoExponentialTime(t *testing.T) {
	// git's matcher backtracks over each "**/": this would not end.
	w := compileWildcard(strings.Repeat("**/a*", 30) + "b")
	if w.match(strings.Repeat("aaaa/", 100) + "c") {
		t.Error("it matches")
	}
}

func FuzzLinks(f *testing.F) {
	f.Add("l", "d/../f", "d/m", "../l")
	f.Fuzz(func(t *testing.T, a, text, b, text2 string) {
		tr := &tree{files: []File{{Path: "d/f"}, {Path: "f"}}, links: map[string]string{"l": text, "d/m": text2}, names: []string{"d/f", "d/m", "f", "l"}}
		for _, at := range []string{"l", "d/m"} {
			end, reason := tr.resolve(at)
			if _, ok := tr.file(end.Path); reason == "" && !ok {
				t.Errorf("%q ends at %q, which is no file", at, end.Path)
			}
		}
	})
}
