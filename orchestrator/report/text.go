package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/scangate/scangate/pkg/finding"
)

// Caps on text that is not ours, in bytes of what is printed.
const (
	maxName  = 100
	maxShort = 300
	maxPath  = 1200
	maxLong  = 4000
)

// visible writes what a terminal would act on, or a reader would not see, as \u{…}: control characters, escape
// sequences, bidirectional overrides, characters without width, line separators. Bytes that are not UTF-8 become
// U+FFFD. "##[" and "##vso[" are commands to CI runners wherever they stand in a line, so their second # is written
// as \u{23}.
func visible(s string, limit int) string {
	var b strings.Builder
	for i, r := range s {
		shown := string(r)
		switch {
		case r == '#' && i > 0 && s[i-1] == '#' && (strings.HasPrefix(s[i:], "#[") || strings.HasPrefix(strings.ToLower(s[i:min(len(s), i+5)]), "#vso[")):
			shown = `\u{23}`
		case !unicode.IsPrint(r):
			shown = fmt.Sprintf(`\u{%x}`, r)
		}
		if b.Len()+len(shown) > limit-len("…") {
			return b.String() + "…"
		}
		b.WriteString(shown)
	}
	return b.String()
}

// Line makes text that is not ours fit to be shown in one line.
func Line(s string) string { return line(s, maxLong) }

// line is visible on one line: any run of white space becomes one space.
func line(s string, limit int) string { return visible(strings.Join(strings.Fields(s), " "), limit) }

// place shows a path so that it can begin a line, a position after it: "::" there is a command to GitHub's runner.
func place(path string) string {
	shown := finding.EncodePath(path)
	if strings.HasPrefix(strings.TrimLeftFunc(shown, unicode.IsSpace), ":") {
		shown = "./" + shown
	}
	return visible(shown, maxPath)
}

// position is ":LINE:COL", as much of it as is known.
func position(f finding.Finding) string {
	switch {
	case f.StartLine <= 0:
		return ""
	case f.StartColumn <= 0:
		return fmt.Sprintf(":%d", f.StartLine)
	}
	return fmt.Sprintf(":%d:%d", f.StartLine, f.StartColumn)
}

// plural is "1 finding", "2 findings".
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// wrap breaks at spaces so that no line is longer than width characters, where words allow. No line begins with "::",
// which is a command to GitHub's runner behind white space too.
func wrap(s string, width int) []string {
	var out []string
	current := ""
	for _, word := range strings.Fields(s) {
		switch {
		case current == "":
			current = word
		case utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) > width:
			out, current = append(out, current), word
		default:
			current += " " + word
		}
	}
	out = append(out, current)
	for i, l := range out {
		if strings.HasPrefix(l, "::") {
			out[i] = `\u{3a}` + l[1:]
		}
	}
	return out
}

// rank orders levels worst first; what is no level is the worst.
func rank(l finding.Level) int {
	switch l {
	case finding.Error:
		return 1
	case finding.Warning:
		return 2
	case finding.Note:
		return 3
	}
	return 0
}
