// Package plan turns a snapshot into jobs. It is a function: the same request and the same snapshot give the same plan,
// which "scangate plan" prints and whose digest stands in the result.
package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sourcegraph/conc/panics"

	"github.com/scangate/scangate/images"
	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
	"github.com/scangate/scangate/orchestrator/workspace"
	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/pkg/policy"
	"github.com/scangate/scangate/scanners"
)

// Defaults of what a scanner does not say itself.
const (
	stdoutCap = 64 << 20
	stderrCap = 8 << 20
	// maxArgs is how many bytes of file arguments one job gets. Linux allows a quarter of the stack limit for arguments
	// and environment together (execve(2)): 2 MiB under the usual 8 MiB.
	maxArgs = 1 << 20
)

// Request is what a plan depends on beside the snapshot.
type Request struct {
	Scanners []scanners.Scanner // the catalogue, or a part of it
	Lock     images.Lock
	Policy   *policy.Policy
	Platform string    // linux/amd64
	AsOf     time.Time // the day, for exemptions
}

// Files is what a plan reads of a snapshot.
type Files interface {
	Select(q workspace.Query) workspace.View
	Read(path string) ([]byte, error)
	File(path string) (workspace.File, bool)
	Paths(glob string) []string
}

// Plan is what will be done, in the order of the catalogue.
type Plan struct {
	Scans []Scan
}

// Scan is one scanner's part of a plan. Without Jobs, Status says why.
type Scan struct {
	Scanner scanners.Scanner
	Status  scanners.Status // NotApplicable, NotConfigured, Broken; "" where there are jobs
	Reason  scanners.Code   // with Status
	Detail  string          // with Reason, for people
	Image   engine.Image
	Data    []scanners.Data
	Digest  string // of the logical plan: before shards, cache and engine
	View    workspace.View
	InScope int               // files the scanner's inputs match
	Excused []scanners.Unread // files in scope that it will rightly not read, by their paths in the view
	// Strays are targets below no project: the scanner would read them, but has no folder to start in.
	Strays []scanners.Unread
	// Inspected is what the scanner's Inspect found in the targets, by their paths in the view.
	Inspected []finding.Finding
	Jobs      []Job
	Canary    *Canary // of a project-scoped scanner
	GoModSum  []byte  // the go.sum files' lines, for scanners with GoModules
}

// Job is one run of the tool on a part of the view.
type Job struct {
	Command []string
	Dir     string   // working directory below the workspace, "" for none
	Targets []string // paths in the view it has to read, canary included, sorted
	Bytes   int64    // of the targets together
	Limits  sandbox.Limits
}

// Canary is the job that proves a project-scoped scanner.
type Canary struct {
	View   workspace.View
	Job    Job
	Digest string // of all that can change its outcome
}

// Make plans. An error means that a file of the snapshot could not be read back. A panic of an adapter, which looks at
// hostile files here, is held to its own scan.
func Make(r Request, f Files) (Plan, error) {
	var p Plan
	for _, s := range r.Scanners {
		var scan Scan
		var err error
		if mad := panics.Try(func() { scan, err = one(r, f, s) }); mad != nil {
			scan = Scan{Scanner: s, Status: scanners.Broken, Reason: scanners.Panic, Detail: mad.String()}
		}
		if err != nil {
			return Plan{}, fmt.Errorf("plan %s: %w", s.Name, err)
		}
		p.Scans = append(p.Scans, scan)
	}
	return p, nil
}

func one(r Request, f Files, s scanners.Scanner) (Scan, error) {
	scan := Scan{Scanner: s}
	query := workspace.Query{
		Globs: s.Inputs.Globs, Exclude: s.Inputs.Exclude, Shebangs: s.Inputs.Shebangs, Programs: s.Inputs.Programs,
		SkipDirs: s.Inputs.SkipDirs, Root: s.Root,
		Context: s.Context, Controls: s.Controls, Reserved: scanners.CanaryPrefix,
		// What a file of a project means, and whether it is built, depends on its name and on what lies beside it.
		EveryLink: s.Root != "",
	}
	if s.Scope == scanners.FileScope {
		query.Add = s.Canary.Files
	}
	scan.View = f.Select(query)
	more, err := beside(s, scan.View, f)
	if err != nil {
		return Scan{}, err
	}
	if len(more) > 0 {
		query.Context = append(slices.Clone(query.Context), more...)
		scan.View = f.Select(query)
	}
	scan.exempt(r)
	targets, err := scan.targets(f)
	if err != nil {
		return Scan{}, err
	}
	if scan.InScope == 0 {
		scan.Status, scan.Reason = scanners.NotApplicable, scanners.NoInput
		return scan, nil
	}
	pin, err := r.Lock.Pin(s.Name, r.Platform)
	if err != nil {
		scan.Status, scan.Reason = scanners.NotConfigured, scanners.NotLocked
		return scan, nil
	}
	scan.Image = engine.Image{Name: s.Name, Manifest: pin.Manifest, Config: pin.Config}
	if s.Config != nil {
		digest, err := DigestFS(s.Config)
		if err != nil {
			return Scan{}, err
		}
		scan.Data = append(scan.Data, scanners.Data{Name: s.Name + "-config", Digest: digest})
	}
	if s.GoModules {
		if scan.GoModSum, err = sums(f); err != nil {
			return Scan{}, err
		}
		scan.Data = append(scan.Data, scanners.Data{Name: "go-modules", Digest: Digest(scan.GoModSum)})
	}
	limits := limits(s, r.Policy)
	if s.Root == "" {
		scan.Jobs = shards(s, targets, limits)
	} else {
		scan.Jobs = scan.projects(targets, limits)
	}
	for i := range scan.Jobs {
		scan.Jobs[i].Bytes = scan.bytes(f, scan.Jobs[i].Targets)
	}
	if len(scan.Jobs) == 0 {
		scan.Status, scan.Reason = scanners.Broken, scanners.NothingRead
		return scan, nil
	}
	if s.Scope == scanners.ProjectScope {
		scan.Canary = canary(s, f, limits, scan)
	}
	scan.Digest = scan.digest(limits, scan.View.Digest)
	return scan, nil
}

// exempt takes out of the view what the policy says the scanner need not look at. It stays in scope, as not read.
func (s *Scan) exempt(r Request) {
	if len(r.Policy.Exemptions) == 0 {
		return
	}
	var dropped []workspace.Entry
	s.View, dropped = s.View.Without(func(e workspace.Entry) bool {
		return e.Role == workspace.Target && r.Policy.Exempt(s.Scanner.Name, e.Source, r.AsOf)
	})
	s.InScope = len(dropped)
	for _, e := range dropped {
		s.Excused = append(s.Excused, scanners.Unread{Path: e.Source, Reason: "exempt"})
	}
}

// targets counts what is in scope, sets aside what the scanner excuses, and returns the rest, canary included.
func (s *Scan) targets(f Files) ([]string, error) {
	reads := s.Scanner.Excuse != nil || s.Scanner.Inspect != nil
	var out []string
	for _, e := range s.View.Entries {
		switch e.Role {
		case workspace.Added:
			out = append(out, e.Path)
		case workspace.Target:
			s.InScope++
			if reads {
				content, err := f.Read(e.Source)
				if err != nil {
					return nil, err
				}
				if s.excused(e, content) {
					continue
				}
				if s.Scanner.Inspect != nil {
					s.Inspected = append(s.Inspected, s.Scanner.Inspect(e.Path, content)...)
				}
			}
			out = append(out, e.Path)
		}
	}
	return out, nil
}

func (s *Scan) excused(e workspace.Entry, content []byte) bool {
	if s.Scanner.Excuse == nil {
		return false
	}
	why := s.Scanner.Excuse(e.Source, content)
	if why != "" {
		s.Excused = append(s.Excused, scanners.Unread{Path: e.Path, Reason: why})
	}
	return why != ""
}

// beside asks the targets for what they need beside them.
func beside(s scanners.Scanner, v workspace.View, f Files) ([]string, error) {
	if s.Beside == nil {
		return nil, nil
	}
	globs := map[string]bool{}
	for _, e := range v.Entries {
		if e.Role != workspace.Target {
			continue
		}
		content, err := f.Read(e.Source)
		if err != nil {
			return nil, err
		}
		for _, g := range s.Beside(e.Source, content) {
			globs[g] = true
		}
	}
	return slices.Sorted(maps.Keys(globs)), nil
}

// digest is over everything that can change what the tool says, length-prefixed by being JSON in a fixed order.
func (s Scan) digest(l sandbox.Limits, view string) string {
	canary := map[string]string{}
	for p, text := range s.Scanner.Canary.Files {
		canary[p] = Digest([]byte(text))
	}
	b, err := json.Marshal(struct {
		Adapters, Scanner, Version string
		Image                      engine.Image
		Command, Env               []string
		Data                       []scanners.Data
		Limits                     sandbox.Limits
		View                       string
		Canary                     map[string]string
	}{scanners.Version, s.Scanner.Name, s.Scanner.Version, s.Image, s.Scanner.Command, s.Scanner.Env, s.Data, l, view, canary})
	if err != nil {
		panic(err) // strings, numbers and maps of strings always encode
	}
	return Digest(b)
}

// Digest is "sha256:…" of the bytes.
func Digest(b []byte) string {
	h := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(h[:])
}

// DigestFS is the SHA-256 over the sorted paths and contents of a file system, each length-prefixed.
func DigestFS(f fs.FS) (string, error) {
	h := sha256.New()
	err := fs.WalkDir(f, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(f, p)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%d:%s%d:%s", len(p), p, len(b), b)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read configuration: %w", err)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// sums is the sorted set of lines of every go.sum.
func sums(f Files) ([]byte, error) {
	set := map[string]bool{}
	for _, p := range f.Paths("**/go.sum") {
		b, err := f.Read(p)
		if err != nil {
			return nil, err
		}
		for l := range strings.Lines(string(b)) {
			set[strings.TrimSpace(l)] = true
		}
	}
	delete(set, "")
	return []byte(strings.Join(slices.Sorted(maps.Keys(set)), "\n")), nil
}
