// Package sandbox is what every engine shares: what the init is told, what it sends back, and the facts that prove the
// sandbox. The init itself (PID 1 of every job) is in the folder init below.
package sandbox

import "time"

// The user every job runs as, whichever the engine and whoever calls.
const (
	UID = 65532
	GID = 65532
)

// InitDir is where the engine mounts the folder PlaceInit makes, read-only; no job mounts anything there. InitPath is the
// program every container starts with.
const (
	InitDir  = "/.scangate"
	InitPath = InitDir + "/init"
)

// Limits bound a job.
type Limits struct {
	CPU     int           `json:"cpu"`     // cores (cgroup quota where there is one)
	Memory  int64         `json:"memory"`  // bytes
	Tmp     int64         `json:"tmp"`     // bytes of the tmpfs at /tmp
	Pids    int           `json:"pids"`    // tasks
	Timeout time.Duration `json:"timeout"` // wall; CPU time is bounded by Timeout times CPU
	Stdout  int64         `json:"stdout"`  // bytes
	Stderr  int64         `json:"stderr"`  // bytes
}

// Require raises bestEffort items to a must.
type Require struct {
	Cgroups bool `json:"cgroups"` // memory, pids and CPU limits of the whole job by cgroup; else rlimits per process
}

// Spec is what the init is told, as one length-prefixed JSON document on its stdin. Stdin then stays open: it is the
// lifeline. When it closes, the init kills the job.
type Spec struct {
	Command []string `json:"command"`
	Env     []string `json:"env"`
	Dir     string   `json:"dir"`
	UID     int      `json:"uid"`
	GID     int      `json:"gid"`
	Limits  Limits   `json:"limits"`
	// Rlimits asks for per-process limits of memory and tasks too, where there is no cgroup.
	Rlimits bool `json:"rlimits"`
}

// Trailer closes the stream: without it, output is never taken for a report.
type Trailer struct {
	Exit         int           `json:"exit"`   // -1 where Signal is set
	Signal       int           `json:"signal"` // 0: none
	Fault        string        `json:"fault"`  // "", "timeout", "output", "start", "isolation"
	Detail       string        `json:"detail"`
	StdoutBytes  int64         `json:"stdoutBytes"`
	StdoutSHA256 string        `json:"stdoutSHA256"`
	StderrBytes  int64         `json:"stderrBytes"`
	StderrSHA256 string        `json:"stderrSHA256"`
	CPU          time.Duration `json:"cpu"`
	MaxRSS       int64         `json:"maxRSS"`
}

// Facts are what the init found to be in force just before the program started, from inside.
type Facts struct {
	UID        int      `json:"uid"`
	GID        int      `json:"gid"`
	Groups     []int    `json:"groups"`
	NoNewPrivs bool     `json:"noNewPrivs"`
	Seccomp    int      `json:"seccomp"` // /proc/self/status Seccomp: 2 is filter
	Caps       string   `json:"caps"`    // the five sets of /proc/self/status, or'ed, in hex: "0" is none
	Writable   []string `json:"writable"`
	Interfaces []string `json:"interfaces"`
	// UserNamespace is true where not every id of the host is mapped; Groups may then hold the overflow id 65534 for
	// groups of the caller that cannot be dropped.
	UserNamespace bool   `json:"userNamespace"`
	UnixSocket    bool   `json:"unixSocket"` // socket(AF_UNIX) works: the seccomp filter is not ours
	Hostname      string `json:"hostname"`
	// Cgroups is filled in by the engine on the host's side: the job's limits are held by a cgroup.
	Cgroups bool `json:"cgroups"`
}
