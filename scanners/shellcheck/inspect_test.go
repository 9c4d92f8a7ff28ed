package shellcheck

import "testing"

func TestInspect(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       int
	}{
		{"a directive for the whole file", "#!/bin/sh\n# shellcheck disable=all\n", 1},
		{"no space before the word", "#shellcheck disable=SC2086\n", 1},
		{"tabs", "#\tshellcheck\tdisable=SC2086\n", 1},
		{"a no-break space", "#\u00a0shellcheck\u00a0disable=SC2086\n", 1},
		{"after another key", "# shellcheck shell=bash disable=SC2086\n", 1},
		{"after then, where ShellCheck reads it too", "if true; then # shellcheck disable=SC2086\n", 1},
		{"with a reason behind it", "# shellcheck disable=SC2086 # split on purpose\n", 1},
		{"without data flow analysis", "# shellcheck extended-analysis=false\n", 1},
		{"after a file name with a number sign", "# shellcheck source=a#b disable=all\n", 1},
		{"after a quoted file name with one", "# shellcheck source=\"a # b\" disable=all\n", 1},
		{"two of them", "# shellcheck disable=SC1072\n# shellcheck disable=SC1073\n", 2},
		{"keys that switch nothing off", "# shellcheck shell=bash source=lib.sh enable=all\n", 0},
		{"a comment about ShellCheck", "# shellcheck would say: never disable it\n", 0},
		{"disable in the reason", "# shellcheck shell=bash # not disable=all\n", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := Scanner.Inspect("a.sh", []byte(row.text)); len(got) != row.want {
				t.Errorf("%d findings, want %d: %+v", len(got), row.want, got)
			}
		})
	}
}
