package hadolint

import "testing"

func TestInspect(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       int
	}{
		{"another shell, so that ShellCheck's rules are not asked", "# hadolint shell=powershell\nFROM a:1\n", 1},
		{"a directive of ShellCheck in a here document", "RUN <<EOF\n# shellcheck disable=SC2086\necho $1\nEOF\n", 1},
		{"such a directive after a file name with a number sign", "RUN <<EOF\n# shellcheck source=a#b disable=SC2086\necho $1\nEOF\n", 1},
		{"an ignore pragma, which the command line disables", "# hadolint ignore=DL3004\nRUN sudo ls\n", 0},
		{"a comment about the shell", "# hadolint asks for a shell\n", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := Scanner.Inspect("Dockerfile", []byte(row.text)); len(got) != row.want {
				t.Errorf("%d findings, want %d: %+v", len(got), row.want, got)
			}
		})
	}
}
