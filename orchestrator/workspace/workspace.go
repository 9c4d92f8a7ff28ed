// Package workspace takes a Snapshot of a folder: exactly which files are in scope, under which digests, stored once by
// content outside the folder. What was hashed is what is scanned, also while somebody keeps editing.
package workspace

// File is a regular file of the snapshot, or a symbolic link to one of its files.
type File struct {
	Path       string // below the workspace, slashes, the raw bytes of the name
	Digest     string // "sha256:…" of the content
	Size       int64
	Executable bool
	Link       string // path below the workspace of the file this symbolic link ends at; "" for a regular file
}

// LeftOut is something in the folder that is not in the snapshot, and why.
type LeftOut struct {
	Path   string
	Reason Reason
}

// Reason is why something is not in the snapshot.
type Reason string

// Unreadable makes the verdict incomplete: it might have been in some scanner's scope. The others are notes.
const (
	Unreadable   Reason = "unreadable"    // could not be opened or read
	Special      Reason = "special"       // FIFO, socket, device
	LinkOutside  Reason = "link-outside"  // symbolic link that leaves the folder, or is absolute
	LinkDangling Reason = "link-dangling" // to nothing, or a loop
	LinkIgnored  Reason = "link-ignored"  // to a file that is not in the snapshot
	LinkFolder   Reason = "link-folder"   // to a folder; what is in it is in the snapshot by itself
	TooLong      Reason = "too-long"      // a path that the kernel would not take
)

// Query says which files of a snapshot a view holds, and how.
type Query struct {
	Globs, Exclude, Shebangs []string          // targets, see scanners.Inputs
	Context                  []string          // globs of files beside them
	Controls                 []string          // base-name globs that travel under an alias, without regard to case
	Reserved                 string            // base-name prefix that travels under an alias
	Add                      map[string]string // view path -> text: files of the gate's own (canaries), role added
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
	Path       string `json:"path"`   // in the view
	Source     string `json:"source"` // in the snapshot; "" for Added. JSON escapes raw bytes by finding.EncodePath
	Digest     string `json:"digest"`
	Executable bool   `json:"executable"`
	Role       Role   `json:"role"`
}

// View is what one job sees of a snapshot.
type View struct {
	Entries []Entry // sorted by Path
	Digest  string  // of the canonical JSON of Entries
}
