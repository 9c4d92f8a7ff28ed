package finding

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestEncodePath(t *testing.T) {
	rows := []struct{ name, raw, want string }{
		{"plain names stay", "src/käse \"x\" <&>.py", "src/käse \"x\" <&>.py"},
		{"the escape itself is escaped", "100%.py", "100%25.py"},
		{"control characters", "a\nb\x1b[31m\x7f", "a%0Ab%1B[31m%7F"},
		{"C1 controls in UTF-8", "a\u009bm", "a%C2%9Bm"},
		{"bytes that are not UTF-8", "\xff\xc3(", "%FF%C3("},
		{"a replacement character that is one", "\ufffd", "\ufffd"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			if got := EncodePath(r.raw); got != r.want {
				t.Errorf("got %q, want %q", got, r.want)
			}
			if back, err := DecodePath(r.want); err != nil || back != r.raw {
				t.Errorf("back: %q, %v", back, err)
			}
		})
	}
}

func TestDecodePathTakesOneSpelling(t *testing.T) {
	for _, s := range []string{"%", "%2", "%zz", "%0a", "%41", "\n", "\xff", "a%C3%A4"} {
		if got, err := DecodePath(s); err == nil {
			t.Errorf("%q is taken for %q", s, got)
		}
	}
}

func FuzzPath(f *testing.F) {
	f.Add("a\xff%\n")
	f.Add("%41")
	f.Fuzz(func(t *testing.T, s string) {
		text := EncodePath(s)
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			t.Errorf("%q is written %q", s, text)
		}
		if back, err := DecodePath(text); err != nil || back != s {
			t.Errorf("%q comes back as %q, %v", s, back, err)
		}
		if raw, err := DecodePath(s); err == nil && EncodePath(raw) != s {
			t.Errorf("%q has two spellings", s)
		}
	})
}
