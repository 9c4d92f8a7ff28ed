package scanners

import "testing"

func TestBelow(t *testing.T) {
	for name, want := range map[string]string{
		"/workspace/a.py": "a.py", "/workspace/./b//a.py": "b/a.py", "/workspace/b/../a.py": "a.py", "/workspace/-": "-",
		"a.py": "", "workspace/a.py": "", "/workspace": "", "/workspace/": "", "/workspace/..": "", "/workspaces/a.py": "",
		"/workspace/../etc/passwd": "", "/etc/passwd": "", "": "",
	} {
		if got, err := Below(name); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", name, got, err, want)
		}
	}
}
