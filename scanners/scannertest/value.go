package scannertest

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/scangate/scangate/scanners"
)

var (
	names    = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	versions = regexp.MustCompile(`^[0-9]+(\.[0-9]+)+$`)
)

// value holds the adapter's data to what scanners.Scanner says of it.
func value(t *testing.T, s scanners.Scanner) {
	must := func(ok bool, what string) {
		t.Helper()
		if !ok {
			t.Error(what)
		}
	}
	must(names.MatchString(s.Name), "Name is no plain word")
	must(versions.MatchString(s.Version), "Version is not the vendor's")
	must(s.About != "" && s.Licence != "", "About or Licence is empty")
	must(strings.HasPrefix(s.Home, "https://"), "Home is no URL")
	must(s.Scope == scanners.FileScope || s.Scope == scanners.ProjectScope, "Scope")
	must(len(s.Inputs.Globs) > 0, "Inputs has no globs")
	for _, g := range slices.Concat(s.Inputs.Globs, s.Inputs.Exclude, s.Context, s.Controls) {
		must(doublestar.ValidatePattern(g), "glob "+g+" is not valid")
	}
	for _, g := range s.Controls {
		must(!strings.Contains(g, "/"), "control "+g+" is no base name")
	}

	must(len(s.Command) > 0 && path.IsAbs(s.Command[0]), "Command does not begin with an absolute path")
	must(slices.IsSorted(s.Env), "Env is not sorted")
	for _, e := range s.Env {
		must(strings.Index(e, "=") > 0, "Env "+e)
	}
	wantsConfig := slices.ContainsFunc(slices.Concat(s.Command, s.Env), func(a string) bool {
		return strings.Contains(a, scanners.Config)
	})
	must(wantsConfig == (s.Config != nil), "Config and the command line do not agree")
	for _, a := range s.Command {
		_, name, ok := strings.Cut(a, scanners.Config+"/")
		if !ok || s.Config == nil {
			continue
		}
		_, err := fs.Stat(s.Config, name)
		must(err == nil, "Config does not hold "+name)
	}
	n := s.Needs
	must(n.CPU > 0 && n.Memory > 0 && n.Tmp > 0 && n.Tmp < n.Memory && n.Pids > 0 && n.Timeout > 0, "Needs")

	must(len(s.Exits) > 0, "Exits is empty")
	for _, e := range s.Exits {
		must(e == scanners.ExitClean || e == scanners.ExitFound || e == scanners.ExitEither, "Exits: "+string(e))
	}
	must(slices.Contains([]scanners.Source{scanners.Reported, scanners.Argument, scanners.Observed, scanners.CanaryOnly},
		s.Enough), "Enough")
	_, ok := s.Canary.Files[s.Canary.Path]
	must(ok && s.Canary.Rule != "", "Canary does not hold its own file, or has no rule")
	must(strings.HasPrefix(path.Base(s.Canary.Path), scanners.CanaryPrefix), "Canary's name lacks the prefix")
	must(s.Read != nil, "Read")
	must(inScope(s, s.Canary.Path), "the canary is not in the scanner's own scope")
}

func inScope(s scanners.Scanner, p string) bool {
	match := func(g string) bool { return doublestar.MatchUnvalidated(g, p) }
	return slices.ContainsFunc(s.Inputs.Globs, match) && !slices.ContainsFunc(s.Inputs.Exclude, match)
}
