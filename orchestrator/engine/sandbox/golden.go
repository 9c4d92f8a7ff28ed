package sandbox

import (
	_ "embed"
	"fmt"
	"strings"
)

// Golden is what "init probe" prints in a sandbox that is as it should be, on every engine.
//
//go:embed testdata/probe.golden
var Golden string

// DiffGolden gives the lines of a probe's text that are not as they should be, and "" where there are none.
func DiffGolden(got string) string {
	var b strings.Builder
	want := strings.Split(strings.TrimSuffix(Golden, "\n"), "\n")
	have := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	for i := range max(len(want), len(have)) {
		var w, h string
		if i < len(want) {
			w = want[i]
		}
		if i < len(have) {
			h = have[i]
		}
		if w != h {
			fmt.Fprintf(&b, "want %s\ngot  %s\n", w, h)
		}
	}
	return b.String()
}
