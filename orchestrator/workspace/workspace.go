// Package workspace takes a Snapshot of a folder: exactly which files are in scope, under which digests, stored once by
// content outside the folder. What was hashed is what is scanned, also while somebody keeps editing.
//
// In scope is everything in git's index and every other file that no .gitignore of the folder ignores; without a .git in
// the folder itself, every file. Ignores from outside the tree (core.excludesFile, .git/info/exclude) are not read, so
// that a laptop and CI see the same. Nothing is executed to learn this: the index and the .gitignore files are read here.
// What a submodule tracks is in scope too, by its own index. A file below another nested repository is judged like any
// other: by the outer index and the .gitignore files.
// Nothing named .git is ever in a snapshot.
//
// A snapshot is consistent file by file: each file is read once, and what was read is what is hashed, stored and scanned.
package workspace

// File is a regular file of the snapshot, or a symbolic link to one of its files.
type File struct {
	Path       string // below the workspace, slashes, the raw bytes of the name
	Digest     string // "sha256:…" of the content
	Size       int64
	Executable bool
	Link       string // path below the workspace of the file this symbolic link ends at; "" for a regular file

	interpreter string // base name of the program that a first line "#!" names
}

// LeftOut is something in the folder that is not in the snapshot, and why.
type LeftOut struct {
	Path   string
	Reason Reason
}

// Reason is why something is not in the snapshot.
type Reason string

// The reasons. Which of them are a note and which make a verdict incomplete, Incomplete tells.
const (
	Unreadable   Reason = "unreadable"    // could not be opened or read
	TooLong      Reason = "too-long"      // a name that the kernel would not take, or folders nested too deep
	TooLarge     Reason = "too-large"     // over Options.MaxFileBytes
	Special      Reason = "special"       // FIFO, socket, device
	LinkOutside  Reason = "link-outside"  // symbolic link that leaves the folder, or is absolute
	LinkDangling Reason = "link-dangling" // to nothing that is in the snapshot (absent and ignored look alike), or a loop
	LinkFolder   Reason = "link-folder"   // to a folder; what is in it is in the snapshot by itself
)

// Incomplete tells whether what was left out might have been in some scanner's scope.
func (r Reason) Incomplete() bool {
	switch r {
	case Special, LinkOutside, LinkDangling, LinkFolder:
		return false
	}
	return true
}

// Query says which files of a snapshot a view holds, and how. Globs are doublestar patterns, matched without regard to case;
// those of Exclude as they are, because the tools themselves pass over exactly such names (go.sum, but not Go.SUM).
type Query struct {
	Globs, Exclude     []string // targets, see scanners.Inputs
	Shebangs, Programs []string
	SkipDirs           []string          // with Root, see scanners.Inputs
	Root               string            // base name of the file that marks a project
	Context            []string          // globs of files beside them
	Controls           []string          // base-name globs that travel under an alias, without regard to case
	Reserved           string            // base-name prefix that travels under an alias
	EveryLink          bool              // links to contents that are in the view already, too
	Add                map[string]string // view path -> text: files of the gate's own (canaries), role added
}

// Role is what a file in a view is for.
type Role string

const (
	Target  Role = "target"
	Context Role = "context"
	Added   Role = "added"
)

// Entry is one file of a view.
type Entry struct {
	Path       string // in the view; printable ASCII
	Source     string // in the snapshot, raw bytes; "" for Added
	Digest     string
	Executable bool
	Role       Role
}

// View is what one job sees of a snapshot.
type View struct {
	Entries []Entry // sorted by Path
	Digest  string  // of the canonical JSON of Entries

	added map[string]string // digest -> text
}
