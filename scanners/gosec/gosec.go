// Package gosec adapts gosec, which reads Go packages.
package gosec

import (
	"time"

	"github.com/scangate/scangate/scanners"
)

const version = "2.29.0"

// unsteady are the taint rules. They look at the first 32 callers of a function in the order of a Go map (maxCallerEdges
// in taint.go): with 81 callers one finding came in 4 of 12 runs of 2.29.0 (securego/gosec issue 1712). A gate that gives
// the same bytes for the same inputs cannot have them. G107, G201, G202, G204 and G304 see the plain cases of G701 to G704.
const unsteady = "G701,G702,G703,G704,G705,G706,G707,G708,G709,G710"

// Scanner is gosec, run once for each module. It takes a package from the compiler's view of linux with cgo off; what
// that view leaves out is excused. Vendored packages, tests, testdata, and the folders of a module that begin with "_" or
// ".", which the go command passes over, are not in scope; a module of its own in such a folder is.
var Scanner = scanners.Scanner{
	Name:    "gosec",
	Version: version,
	About:   "injection, weak cryptography, unsafe files and integer overflow in Go",
	Licence: "Apache-2.0",
	Home:    "https://github.com/securego/gosec",

	Scope: scanners.ProjectScope,
	Inputs: scanners.Inputs{
		Globs:    []string{"**/*.go"},
		Exclude:  []string{"**/*_test.go", "**/testdata/**"},
		SkipDirs: []string{"vendor", "_*", ".*"},
	},
	Context:  []string{"**/go.{mod,sum}", "**/*.{s,h}"},
	Beside:   embedded,
	Root:     "go.mod",
	Controls: []string{"go.work", "go.work.sum"},
	Excuse:   excuse,

	// Not -quiet: it hides errors, and the files that were read.
	Command: []string{"/usr/bin/gosec", "-fmt", "json", "-nosec", "-exclude", unsteady, "./..."},
	// The build cache is a folder of the job's own: the go command needs to write there. What the standard library exports
	// is compiled already, in the image's GOROOT/pkg, where installgoroot=all makes the go command look. gosec names files
	// to it, not packages, so that assembly beside them is not seen: without a body a function is then an error, unless
	// -complete is off.
	Env: []string{
		"CGO_ENABLED=0",
		"GOCACHE=/tmp/gocache",
		"GODEBUG=installgoroot=all",
		"GOENV=off",
		"GOFLAGS=-mod=readonly -gcflags=-complete=false",
		"GOMODCACHE=" + scanners.Modules,
		"GOPATH=/tmp/go",
		"GOPROXY=off",
		"GOROOT=/usr/local/go",
		"GOSUMDB=off",
		"GOTELEMETRY=off",
		"GOTOOLCHAIN=local",
		"GOVCS=*:off",
		"GOWORK=off",
		"HOME=/tmp",
		"PATH=/usr/local/go/bin",
	},
	GoModules: true,
	Needs: scanners.Needs{
		CPU: 2, Memory: 4 << 30, Tmp: 2 << 30, Pids: 512, Timeout: 20 * time.Minute,
	},

	// 1 is a finding and every kind of error alike.
	Exits:  map[int]scanners.Exit{0: scanners.ExitClean, 1: scanners.ExitFound},
	Enough: scanners.Reported,
	// G115 is found in the SSA form, the last of what gosec builds.
	Canary: scanners.Canary{
		Files: map[string]string{
			"go.mod":             "module example.com/canary\n\ngo 1.24\n",
			"scangate-canary.go": "package canary\n\nfunc Narrow(n int) int32 { return int32(n) }\n",
		},
		Path: "scangate-canary.go",
		Rule: "G115",
	},
	Read: read,
}
