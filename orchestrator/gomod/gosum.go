package gomod

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

// toolchain is the module that Go toolchains come as. Jobs have GOTOOLCHAIN=local and never need it.
const toolchain = "golang.org/toolchain"

// line is one line of go.sum ("go help modules": each is a module path, a version, with "/go.mod" for the hash of that
// file alone, and the hash).
type line struct {
	module.Version
	escPath, escVersion string // as in file names of a module cache
	mod                 bool   // of the go.mod file alone
	hash                string // "h1:" and 32 bytes in base64
}

func (l line) String() string {
	if l.mod {
		return l.Version.String() + "/go.mod"
	}
	return l.Version.String()
}

// parse returns the distinct lines, sorted, and the digest over their text.
func parse(sums []byte) (lines []line, digest string, err error) {
	var texts []string
	for i, text := range strings.Split(string(sums), "\n") {
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 3 {
			return nil, "", fmt.Errorf("go.sum line %d: %d fields: want 3", i+1, len(fields))
		}
		if _, err := parseLine(fields); err != nil {
			return nil, "", fmt.Errorf("go.sum line %d: %w", i+1, err)
		}
		texts = append(texts, strings.Join(fields, " "))
	}
	slices.Sort(texts)
	texts = slices.Compact(texts)
	for _, text := range texts {
		l, err := parseLine(strings.Fields(text))
		if err != nil {
			return nil, "", err
		}
		if l.Path != toolchain {
			lines = append(lines, l)
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(texts, "\n")))
	return lines, "sha256:" + hex.EncodeToString(sum[:]), nil
}

func parseLine(fields []string) (line, error) {
	version, mod := strings.CutSuffix(fields[1], "/go.mod")
	l := line{Version: module.Version{Path: fields[0], Version: version}, mod: mod, hash: fields[2]}
	if err := module.Check(l.Path, l.Version.Version); err != nil {
		return l, err
	}
	var err error
	if l.escPath, err = module.EscapePath(l.Path); err != nil {
		return l, err
	}
	if l.escVersion, err = module.EscapeVersion(l.Version.Version); err != nil {
		return l, err
	}
	sum, ok := strings.CutPrefix(l.hash, "h1:")
	if raw, err := base64.StdEncoding.DecodeString(sum); !ok || err != nil || len(raw) != sha256.Size {
		return l, fmt.Errorf("hash %q is not h1: and 32 bytes", l.hash)
	}
	return l, nil
}
