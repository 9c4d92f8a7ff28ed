package shellcheck

import (
	"regexp"

	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/scanners/inline"
)

// directive is what ShellCheck 0.11.0 takes for a directive that switches checks off (readAnnotation in its Parser.hs):
// "#", "shellcheck", then keys. It obeys them under --norc too, and SC1071 to SC1073 among them hide that a script could
// not be parsed at all: exit 0, no comment. Strings and here documents that look like one are taken for one here.
// A "#" behind anything but a space, or in quotes, is part of a value (source=a#b) and ends no directive.
var directive = regexp.MustCompile(`#[\s\p{Z}]*shellcheck[\s\p{Z}](?:[^#]|[^ ]#|"[^"]*"|'[^']*')*\b(?:disable|extended-analysis)[\s\p{Z}]*=[^\s\p{Z}]*`)

func inspect(path string, content []byte) []finding.Finding {
	return inline.Find(path, content, directive)
}
