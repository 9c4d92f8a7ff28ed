// Package scanners says what a vendor's tool is to scangate: a value. It knows nothing of what runs it.
package scanners

import (
	"io/fs"
	"time"

	"github.com/scangate/scangate/pkg/finding"
)

// Version is the adapters' version: it changes when any adapter reads, asks or maps differently.
const Version = "0.1.0"

// Where a job finds its things inside the container. The workspace is not at /src: semgrep-core 1.185.0 was seen
// loading shared libraries from below /src (its RUNPATH).
const (
	Workspace = "/workspace"       // the view, read-only
	Config    = "/scangate/config" // Scanner.Config, read-only
	Modules   = "/scangate/gomod"  // the Go module cache, read-only, for scanners with GoModules
)

// Files in Command stands for the targets' absolute paths, one argument each.
const Files = "{files}"

// CanaryPrefix begins the base name of every canary. A workspace file so named travels under an alias.
const CanaryPrefix = "scangate-canary"

// Scope is what a tool's answer for one file depends on.
type Scope string

const (
	FileScope    Scope = "file"    // on that file alone
	ProjectScope Scope = "project" // on other files too
)

// Inputs are the files a scanner has to look at. Globs are doublestar patterns on the path below the workspace,
// matched without regard to case: to look at more than the tool does is no fault.
type Inputs struct {
	Globs    []string // any of these
	Exclude  []string // and none of these, matched to the letter: the tool itself passes over exactly such names
	Shebangs []string // or: no extension, executable or not, and a first line "#!" naming one of these interpreters (sh, bash, python3.* …)
	Programs []string // the same, in executable files only
	// SkipDirs are base names of folders, as globs, that the tool passes over below a project (Root). What lies above the
	// project does not count: a module in _tools is a module.
	SkipDirs []string
}

// Needs are what one job is given. The engine enforces them; the scheduler weighs by CPU and Memory.
type Needs struct {
	CPU     int           // cores, at least 1
	Memory  int64         // bytes, the tmpfs included
	Tmp     int64         // bytes of /tmp
	Pids    int           // tasks
	Timeout time.Duration // wall
	Output  int64         // bytes of stdout; 0 is 64 MiB
}

// Exit is what an exit status of the tool may mean. A status that is not in the table is Broken.
type Exit string

const (
	ExitClean  Exit = "clean"  // no findings: a finding beside it is Broken
	ExitFound  Exit = "found"  // findings: none beside it is Broken
	ExitEither Exit = "either" // the tool does not tell by its status
)

// Source is where a count of files read comes from, weakest last.
type Source string

const (
	Reported   Source = "reported"   // the tool names or counts the files it read
	Argument   Source = "argument"   // each file was an argument, and the tool fails when it cannot read one
	Observed   Source = "observed"   // seen from outside, such as bytes read
	CanaryOnly Source = "canaryOnly" // only the canary was proved to be read
)

// Canary is a known-bad input that the tool must report, or the scanner is Broken. For a FileScope scanner the files
// are put into every view; for a ProjectScope one they are the whole view of a job of their own.
type Canary struct {
	Files map[string]string // path below the workspace -> text; base name of Path begins with CanaryPrefix
	Path  string            // the file in which the finding is due
	Rule  string            // and its rule
}

// Scanner is a vendor's tool as data.
type Scanner struct {
	Name    string // of the tool, of its image in the lock, of its recipe
	Version string // the vendor's
	About   string // one line: what it looks for
	Licence string // SPDX
	Home    string // URL

	Scope  Scope
	Inputs Inputs
	// Context globs name what a target needs beside it (go.mod, headers). They are in the view and are no targets.
	Context []string
	// Beside, where set, names further Context globs that a target asks for by itself (the patterns of go:embed).
	Beside func(path string, content []byte) []string
	// Root is the base name of the file that marks a project (go.mod): one job for each folder that holds one, with
	// that folder as the working directory. Empty: one job, working directory /tmp.
	Root string
	// Controls are base-name globs of files by which a workspace could steer the tool. In the view they stand
	// under aliases, as data.
	Controls []string
	// Excuse, where set, says why the tool will rightly not read a target ("build-constraint"), or "".
	// The file is then listed as unread with that reason and is not expected in the count.
	Excuse func(path string, content []byte) string
	// Inspect, where set, finds the comments by which a target switches the tool's checks off, for a tool without a flag
	// to disregard them. It is asked for every target; what it finds stands beside what the tool found.
	Inspect func(path string, content []byte) []finding.Finding

	Command   []string // absolute path of the program first; Files expands
	Env       []string // sorted KEY=value; nothing else is in the environment
	Config    fs.FS    // the adapter's own configuration and rules, mounted at Config
	GoModules bool     // wants the modules that go.sum names at Modules
	Needs     Needs

	Exits  map[int]Exit
	Enough Source // the weakest source that suffices for a pass
	Canary Canary
	Read   func(Run) (Report, error)
}

// Run is what the tool left behind.
type Run struct {
	Exit           int
	Stdout, Stderr []byte
	Targets        []string // paths in the view of the files it had to read, canary included, sorted
	Bytes          int64    // of all the targets together
	Dir            string   // the working directory below Workspace, "" for none
}

// Report is what a reader makes of a Run. An error from a reader makes the scanner Broken.
// Paths are those of the view, below Workspace.
type Report struct {
	Findings  []finding.Finding // the canary's among them; Scanner, Fingerprints, State are left empty
	FilesRead *int              // nil: not known
	Source    Source
	Unread    []Unread // files the tool itself says it could not read: Broken
}

// Unread is a file in scope that was not read, and why.
type Unread struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// Status is how a scanner ended.
type Status string

const (
	Clean         Status = "clean"
	Found         Status = "found"
	Broken        Status = "broken"
	NotApplicable Status = "notApplicable" // no file in scope
	NotConfigured Status = "notConfigured" // its locked image or data is absent and the policy does not require it
)

// Reason says why a status is not a plain one. Message is fixed for each Code; Detail goes to people and the run
// record, never into the result document.
type Reason struct {
	Code    string
	Message string
	Detail  string
}

// Data is a pinned input beside the image.
type Data struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
}

// Image is what the scanner ran from.
type Image struct {
	Manifest string `json:"manifest"`
	Config   string `json:"config"`
}

// Evidence is what shows that a scanner looked.
type Evidence struct {
	FilesInScope int
	FilesRead    *int // nil: not known
	Source       Source
	Unread       []Unread
	Canary       string // "found", "missing", or "" where no job ran
}

// Result is one scanner's part of a scan.
type Result struct {
	Scanner  string
	Version  string
	Status   Status
	Reasons  []Reason
	Image    Image
	Data     []Data
	Job      string // digest of the logical plan
	Evidence Evidence
	Findings []finding.Finding
}
