package assemble

import "testing"

func TestCut(t *testing.T) {
	for _, row := range []struct{ name, text, from, to, want string }{
		{"what lies between goes, and the marks too", "a\npaths = [\n1\n2\n]\nb\n]\n", "paths = [\n", "\n]\n", "a\nb\n]\n"},
		{"the first mark twice is refused", "x[1]x[2]", "x[", "]", ""},
		{"the first mark absent is refused", "abc", "x", "c", ""},
		{"the second mark absent is refused", "abc", "b", "x", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := cut([]byte(row.text), row.from, row.to)
			if (err != nil) != (row.want == "") || string(got) != row.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
