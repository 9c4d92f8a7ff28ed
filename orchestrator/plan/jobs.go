package plan

import (
	"maps"
	"path"
	"slices"

	"github.com/scangate/scangate/orchestrator/engine/sandbox"
	"github.com/scangate/scangate/orchestrator/workspace"
	"github.com/scangate/scangate/pkg/policy"
	"github.com/scangate/scangate/scanners"
)

// bytes is how much the targets hold together.
func (s *Scan) bytes(f Files, targets []string) int64 {
	n := int64(0)
	for _, t := range targets {
		if e, _ := s.View.Source(t); e.Role == workspace.Added {
			n += int64(len(s.Scanner.Canary.Files[t]))
		} else {
			file, _ := f.File(e.Source)
			n += file.Size
		}
	}
	return n
}

// shards splits the targets so that each job's arguments fit. The canary is in every shard.
func shards(s scanners.Scanner, targets []string, l sandbox.Limits) []Job {
	var canaries []string // in the view of a FileScope scanner only
	for _, t := range targets {
		if _, ok := s.Canary.Files[t]; ok {
			canaries = append(canaries, t)
		}
	}
	var jobs []Job
	var part []string
	size := 0
	flush := func() {
		if len(part) == 0 {
			return
		}
		all := append(slices.Clone(part), canaries...)
		slices.Sort(all)
		jobs = append(jobs, Job{Command: expand(s.Command, all), Targets: all, Limits: l})
		part, size = nil, 0
	}
	byArgument := slices.Contains(s.Command, scanners.Files)
	for _, t := range targets {
		if slices.Contains(canaries, t) {
			continue
		}
		if cost := len(scanners.Workspace) + len(t) + 16; byArgument && size+cost > maxArgs {
			flush()
			size = cost
		} else {
			size += cost
		}
		part = append(part, t)
	}
	flush()
	return jobs
}

// projects makes one job for each folder that holds the scanner's root file. A target above every such folder is
// a stray.
func (s *Scan) projects(targets []string, l sandbox.Limits) []Job {
	has := map[string]bool{}
	for _, e := range s.View.Entries {
		if path.Base(e.Path) == s.Scanner.Root {
			has[path.Dir(e.Path)] = true
		}
	}
	of := map[string][]string{}
	for _, t := range targets {
		d := path.Dir(t)
		for ; d != "." && !has[d]; d = path.Dir(d) {
		}
		if !has[d] {
			s.Strays = append(s.Strays, scanners.Unread{Path: t, Reason: "no-project"})
			continue
		}
		of[d] = append(of[d], t)
	}
	var jobs []Job
	for _, d := range slices.Sorted(maps.Keys(of)) {
		dir := d
		if dir == "." {
			dir = ""
		}
		jobs = append(jobs, Job{Command: expand(s.Scanner.Command, of[d]), Dir: dir, Targets: of[d], Limits: l})
	}
	return jobs
}

func canary(s scanners.Scanner, f Files, l sandbox.Limits, scan Scan) *Canary {
	v := f.Select(workspace.Query{Add: s.Canary.Files})
	targets := []string{s.Canary.Path}
	c := &Canary{View: v, Job: Job{Command: expand(s.Command, targets), Targets: targets, Limits: l}}
	c.Digest = scan.digest(l, v.Digest)
	return c
}

func expand(command, targets []string) []string {
	var out []string
	for _, a := range command {
		if a != scanners.Files {
			out = append(out, a)
			continue
		}
		for _, t := range targets {
			out = append(out, scanners.Workspace+"/"+t)
		}
	}
	return out
}

func limits(s scanners.Scanner, p *policy.Policy) sandbox.Limits {
	n := s.Needs
	l := sandbox.Limits{CPU: max(1, n.CPU), Memory: n.Memory, Tmp: n.Tmp, Pids: n.Pids, Timeout: n.Timeout, Stdout: n.Output, Stderr: stderrCap}
	if l.Stdout == 0 {
		l.Stdout = stdoutCap
	}
	if p.Limits.Timeout > 0 {
		l.Timeout = p.Limits.Timeout
	}
	if p.Limits.Memory > 0 {
		l.Memory = p.Limits.Memory
	}
	if p.Limits.Stdout > 0 {
		l.Stdout = p.Limits.Stdout
	}
	return l
}
