package assemble

import (
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

func (c Change) String() string {
	return fmt.Sprintf("%s: %s %.12s -> %s %.12s", c.Package, c.Was, c.WasSum, c.Version, c.SHA256)
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

// Rewrite puts changes into a recipe's text and leaves everything else of it, comments too, as it is. A pin is found by
// its version and the hash on the line below.
func Rewrite(source []byte, changes []Change) ([]byte, error) {
	for _, c := range changes {
		was := regexp.MustCompile(`version: "?` + regexp.QuoteMeta(c.Was) + `"?\n( +)sha256: ` + regexp.QuoteMeta(c.WasSum))
		if !was.Match(source) {
			return nil, fmt.Errorf("rewrite recipe: no pin of %s %s", c.Package, c.Was)
		}
		source = was.ReplaceAll(source, []byte("version: "+c.Version+"\n${1}sha256: "+c.SHA256))
	}
	return source, nil
}

type servedDeb struct{ version, suite string }

// servedDebs lists what apt knows of a package, newest first.
func servedDebs(ctx context.Context, name string) ([]servedDeb, error) {
	out, err := command(ctx, "", aptEnv, "apt-cache", "madison", name)
	if err != nil {
		return nil, fmt.Errorf("ask apt for %s: %w", name, err)
	}
	list, err := parseMadison(string(out))
	if err != nil {
		return nil, fmt.Errorf("ask apt for %s: %w", name, err)
	}
	return list, nil
}

// parseMadison reads what "apt-cache madison" prints.
func parseMadison(text string) ([]servedDeb, error) {
	var list []servedDeb
	for line := range strings.Lines(text) {
		// " libc6 | 2.36-9+deb12u14 | URL SUITE/COMPONENT ARCH Packages"
		column := strings.Split(line, "|")
		if len(column) != 3 {
			return nil, fmt.Errorf("unexpected line %q", line)
		}
		words := strings.Fields(column[2])
		if len(words) < 2 {
			return nil, fmt.Errorf("unexpected line %q", line)
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
	chosen := durable(list)
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

// durable is the newest version of a suite that is no pocket ("bookworm", not "bookworm-security"), else the newest.
func durable(list []servedDeb) servedDeb {
	for _, s := range list {
		if !strings.Contains(s.suite, "-") {
			return s
		}
	}
	return list[0]
}
