package assemble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// aptEnv keeps apt's words in one language.
var aptEnv = []string{"LC_ALL=C.UTF-8"}

// Change is one re-pinned package.
type Change struct {
	Package        string
	Version, Was   string
	SHA256, WasSum string
}

// Refresh re-pins a recipe's Debian packages for one platform to what apt serves now, which must have fresh lists.
// It prefers the main suite's version over a newer one of the security or updates pocket: pockets drop a version
// when the next comes, and an old release's main suite is frozen.
func Refresh(ctx context.Context, r Recipe, platform string) (Recipe, []Change, error) {
	arch, err := architecture(platform)
	if err != nil {
		return Recipe{}, nil, fmt.Errorf("refresh %s: %w", r.Name, err)
	}
	var changes []Change
	steps := slices.Clone(r.Platforms[platform])
	for i, s := range steps {
		if s.Deb == nil {
			continue
		}
		d := *s.Deb
		if d.Version, d.SHA256, err = served(ctx, d.Name+":"+arch); err != nil {
			return Recipe{}, nil, fmt.Errorf("refresh %s: %w", r.Name, err)
		}
		if d.Version == s.Deb.Version && d.SHA256 == s.Deb.SHA256 {
			continue
		}
		changes = append(changes, Change{d.Name, d.Version, s.Deb.Version, d.SHA256, s.Deb.SHA256})
		steps[i].Deb = &d
	}
	platforms := map[string][]Step{}
	for p, s := range r.Platforms {
		platforms[p] = s
	}
	platforms[platform] = steps
	r.Platforms = platforms
	return r, changes, nil
}

// Rewrite puts changes into a recipe's text and leaves everything else of it, comments too, as it is. A hash names one
// package's pin, so it is where a change is anchored; the version stands on the line above.
func Rewrite(source []byte, changes []Change) ([]byte, error) {
	for _, c := range changes {
		was, now := c.pin(c.Was, c.WasSum), c.pin(c.Version, c.SHA256)
		found := was.find(source)
		if found == nil {
			return nil, fmt.Errorf("rewrite recipe: no pin of %s %s", c.Package, c.Was)
		}
		source = bytes.ReplaceAll(source, found, now.text(found))
	}
	return source, nil
}

type pin struct{ version, sum string }

func (c Change) pin(version, sum string) pin { return pin{version, sum} }

func (p pin) find(source []byte) []byte {
	form := regexp.MustCompile(`version: "?` + regexp.QuoteMeta(p.version) + `"?\n +sha256: ` + p.sum)
	return form.Find(source)
}

func (p pin) text(found []byte) []byte {
	_, sum, _ := bytes.Cut(found, []byte("\n"))
	indent := sum[:bytes.IndexByte(sum, 's')]
	return []byte("version: " + p.version + "\n" + string(indent) + "sha256: " + p.sum)
}

type servedDeb struct{ version, suite string }

// servedDebs lists what apt knows of a package, newest first.
func servedDebs(ctx context.Context, name string) ([]servedDeb, error) {
	out, err := command(ctx, "", aptEnv, "apt-cache", "madison", name)
	if err != nil {
		return nil, fmt.Errorf("ask apt for %s: %w", name, err)
	}
	var list []servedDeb
	for line := range strings.Lines(string(out)) {
		// " libc6 | 2.36-9+deb12u14 | URL SUITE/COMPONENT ARCH Packages"
		column := strings.Split(line, "|")
		if len(column) != 3 {
			return nil, fmt.Errorf("ask apt for %s: unexpected line %q", name, line)
		}
		words := strings.Fields(column[2])
		if len(words) < 2 {
			return nil, fmt.Errorf("ask apt for %s: unexpected line %q", name, line)
		}
		suite, _, _ := strings.Cut(words[1], "/")
		list = append(list, servedDeb{strings.TrimSpace(column[1]), suite})
	}
	return list, nil
}

// served is the version to pin, and its hash.
func served(ctx context.Context, name string) (version, sum string, err error) {
	list, err := servedDebs(ctx, name)
	if err != nil {
		return "", "", err
	}
	if len(list) == 0 {
		return "", "", fmt.Errorf("apt serves no %s", name)
	}
	chosen := list[0]
	for _, s := range list {
		if !strings.Contains(s.suite, "-") {
			chosen = s
			break
		}
	}
	out, err := command(ctx, "", aptEnv, "apt-cache", "show", name+"="+chosen.version)
	if err != nil {
		return "", "", fmt.Errorf("ask apt for %s: %w", name, err)
	}
	for line := range strings.Lines(string(out)) {
		if sum, ok := strings.CutPrefix(line, "SHA256: "); ok {
			return chosen.version, strings.TrimSpace(sum), nil
		}
	}
	return "", "", errors.New("apt knows no SHA256 of " + name + " " + chosen.version)
}
