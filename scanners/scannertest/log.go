package scannertest

import (
	"slices"
	"strings"
	"testing"

	"github.com/scangate/scangate/scanners"
)

// Log is for adapters that also read what the tool logs on stderr: the named recorded run is Broken as soon as one of
// the lines that hold a mark is missing, or cut in the middle of the mark.
func Log(t *testing.T, s scanners.Scanner, name string, marks ...string) {
	t.Helper()
	cases := Cases(t, s)
	i := slices.IndexFunc(cases, func(c Case) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no recorded run %s", name)
	}
	run := cases[i].Run
	lines := slices.Collect(strings.Lines(string(run.Stderr)))
	for _, mark := range marks {
		n := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, mark) })
		if n < 0 {
			t.Errorf("no line of the log holds %q", mark)
			continue
		}
		for _, instead := range []string{"", lines[n][:strings.Index(lines[n], mark)+len(mark)/2]} {
			bent := slices.Clone(lines)
			bent[n] = instead
			r := run
			r.Stderr = []byte(strings.Join(bent, ""))
			if got := scanners.Judge(s, r, scanners.View{}); got.Status != scanners.Broken {
				t.Errorf("log with %q for %q: %s", instead, lines[n], got.Status)
			}
		}
	}
}
