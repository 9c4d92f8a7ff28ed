package workspace

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

// Names longer than these travel under an alias: the job sees them behind "/workspace/", the host behind the run's folder.
const (
	maxComponent = 200
	maxPath      = 1024
)

// plain is what a tool can neither take for an option nor garble when it prints it; no "/" is in it.
var plain = regexp.MustCompile(`^[A-Za-z0-9._+@=,~][A-Za-z0-9._+@=,~ -]*$`)

// aliased is the form of an alias, which no other name may have.
var aliased = regexp.MustCompile(`^(?i)sg[0-9a-f]{12}(\.[a-z0-9]{1,8})?$`)

// harmless is an extension that an alias keeps: tools choose a parser by it.
var harmless = regexp.MustCompile(`^\.[a-z0-9]{1,8}$`)

// aliases gives each name of a view the name it has there. Asked for the same paths in the same order, it answers alike.
type aliases struct {
	controls globs
	reserved string
	of       map[string]string // name -> alias
	taken    map[string]bool   // aliases
}

func newAliases(controls []string, reserved string) *aliases {
	return &aliases{controls: compileGlobs(controls), reserved: strings.ToLower(reserved), of: map[string]string{}, taken: map[string]bool{}}
}

// path returns where the file at p stands in the view.
func (a *aliases) path(p string) string {
	parts := strings.Split(p, "/")
	for i, part := range parts {
		if !a.safe(part) {
			parts[i] = a.alias(part, part)
		}
	}
	if out := strings.Join(parts, "/"); len(out) <= maxPath {
		return out
	}
	return a.alias(p, baseOf(p))
}

func (a *aliases) safe(name string) bool {
	lower := strings.ToLower(name)
	return len(name) <= maxComponent && plain.MatchString(name) && !strings.HasSuffix(name, " ") && !aliased.MatchString(name) &&
		!a.controls.match(lower) && (a.reserved == "" || !strings.HasPrefix(lower, a.reserved))
}

// alias returns "sg", 12 hexadecimal digits of the SHA-256 of name, and base's extension, unless a control file could have
// that name. 48 bits can be made to collide on purpose: the later name is then hashed with a number behind it.
func (a *aliases) alias(name, base string) string {
	if out, ok := a.of[name]; ok {
		return out
	}
	ext := strings.ToLower(extension(base))
	if !harmless.MatchString(ext) {
		ext = ""
	}
	for n, text := 0, name; ; n, text = n+1, fmt.Sprintf("%s/%d", name, n) {
		sum := sha256.Sum256([]byte(text))
		out := "sg" + hex.EncodeToString(sum[:6]) + ext
		if a.controls.match(out) {
			out = strings.TrimSuffix(out, ext)
		}
		if a.taken[out] {
			continue
		}
		a.of[name], a.taken[out] = out, true
		return out
	}
}
