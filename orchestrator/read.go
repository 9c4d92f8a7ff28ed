package orchestrator

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sourcegraph/conc/panics"

	"github.com/scangate/scangate/orchestrator/cache"
	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/plan"
	"github.com/scangate/scangate/orchestrator/workspace"
	"github.com/scangate/scangate/pkg/finding"
	"github.com/scangate/scangate/scanners"
)

// faults names the reason for each way in which an outcome is no answer.
var faults = map[engine.Fault]scanners.Code{
	engine.Timeout:   scanners.Timeout,
	engine.Memory:    scanners.OutOfMemory,
	engine.Output:    scanners.OutputLimit,
	engine.Killed:    scanners.Killed,
	engine.Start:     scanners.NotStarted,
	engine.Isolation: scanners.Isolation,
	engine.Lost:      scanners.StreamLost,
}

// read makes one result of each scan in the plan. A canary that was found is remembered.
func read(p plan.Plan, l *lowered, outcomes []ran, remembered *cache.Cache) []scanners.Result {
	results := make([]scanners.Result, len(p.Scans))
	for i, scan := range p.Scans {
		r := readScan(i, scan, l, outcomes, remembered)
		r.Image = scanners.Image{Manifest: scan.Image.Manifest, Config: scan.Image.Config}
		r.Data, r.Job = scan.Data, scan.Digest
		mapBack(&r, scan.View)
		results[i] = r
	}
	return results
}

func readScan(i int, scan plan.Scan, l *lowered, outcomes []ran, remembered *cache.Cache) scanners.Result {
	s := scan.Scanner
	if scan.Status != "" {
		return scanners.Result{Scanner: s.Name, Version: s.Version, Status: scan.Status,
			Reasons:  []scanners.Reason{scanners.Because(scan.Reason, scan.Detail)},
			Evidence: scanners.Evidence{FilesInScope: scan.InScope, Source: scanners.CanaryOnly, Unread: unread(scan)}}
	}
	if f, ok := l.failed[i]; ok {
		return noAnswer(scan, unread(scan), f.code, f.err.Error())
	}
	jobs, canary := l.jobsOf(i)
	var parts []scanners.Result
	for n, at := range jobs {
		excused := scan.Excused
		if n > 0 {
			excused = nil
		}
		j := scan.Jobs[l.of[at].job]
		part := judge(scan, j, outcomes[at], scanners.View{Has: has(scan.View), Excused: excused, Inspected: inspected(scan, j)})
		if missing := l.missing[i]; part.Status == scanners.Broken && len(missing) > 0 {
			part.Reasons = append(part.Reasons, scanners.Because(scanners.NoModules,
				fmt.Sprintf("%d, such as %s", len(missing), missing[0])))
		}
		parts = append(parts, part)
	}
	whole := merge(scan, parts)
	blameStrays(&whole, scan.Strays)
	if scan.Canary == nil {
		return whole
	}
	whole.Evidence.Canary = "found"
	if l.proved[i] {
		return whole
	}
	proof := judge(scan, scan.Canary.Job, outcomes[canary], scanners.View{Has: has(scan.Canary.View)})
	whole.Evidence.Canary = proof.Evidence.Canary
	if proof.Status == scanners.Broken || proof.Evidence.Canary != "found" {
		whole.Status = scanners.Broken
		whole.Evidence.Canary = "missing"
		whole.Reasons = addReasons(whole.Reasons, proof.Reasons)
		return whole
	}
	// Not to be remembered is no fault: the next run proves it again.
	_ = remembered.Put(canaryKey(scan), []byte("found"))
	return whole
}

// unread is what of a scan's files is known beforehand not to be read.
func unread(scan plan.Scan) []scanners.Unread { return slices.Concat(scan.Excused, scan.Strays) }

// blameStrays breaks a result for the files in scope that no job was for.
func blameStrays(r *scanners.Result, strays []scanners.Unread) {
	if len(strays) == 0 {
		return
	}
	r.Status = scanners.Broken
	r.Evidence.Unread = append(r.Evidence.Unread, strays...)
	r.Reasons = addReasons(r.Reasons, []scanners.Reason{scanners.Because(scanners.FileNotRead,
		fmt.Sprintf("%d below no project, such as %s", len(strays), strays[0].Path))})
}

// inspected is what was found in one job's targets.
func inspected(scan plan.Scan, j plan.Job) []finding.Finding {
	var fs []finding.Finding
	for _, f := range scan.Inspected {
		if _, ok := slices.BinarySearch(j.Targets, f.Path); ok {
			fs = append(fs, f)
		}
	}
	return fs
}

// judge is the reader behind its guards: an engine that could not run, a fault, a panic of the adapter.
func judge(scan plan.Scan, j plan.Job, r ran, v scanners.View) (res scanners.Result) {
	switch {
	case errors.As(r.Err, new(*panicError)):
		return noAnswer(scan, v.Excused, scanners.Panic, r.Err.Error())
	case r.Err != nil:
		return noAnswer(scan, v.Excused, scanners.EngineFault, r.Err.Error())
	case r.Outcome.Fault != "":
		code, ok := faults[r.Outcome.Fault]
		if !ok {
			return noAnswer(scan, v.Excused, scanners.EngineFault, fmt.Sprintf("unknown fault %q: %s", r.Outcome.Fault, r.Outcome.Detail))
		}
		return noAnswer(scan, v.Excused, code, r.Outcome.Detail)
	}
	p := panics.Try(func() {
		res = scanners.Judge(scan.Scanner, scanners.Run{
			Exit: r.Outcome.Exit, Stdout: r.Outcome.Stdout, Stderr: r.Outcome.Stderr,
			Targets: j.Targets, Bytes: j.Bytes, Dir: j.Dir,
		}, v)
	})
	if p != nil {
		return noAnswer(scan, v.Excused, scanners.Panic, p.String())
	}
	return res
}

func noAnswer(scan plan.Scan, excused []scanners.Unread, code scanners.Code, detail string) scanners.Result {
	r := scanners.NoAnswer(scan.Scanner, code, detail)
	r.Evidence = scanners.Evidence{FilesInScope: scan.InScope, Source: scanners.CanaryOnly, Unread: excused, Canary: "missing"}
	return r
}

// merge makes one result of a scanner's shards or projects: the worst status, the weakest evidence.
func merge(scan plan.Scan, parts []scanners.Result) scanners.Result {
	whole := parts[0]
	whole.Evidence.FilesInScope = scan.InScope
	for _, p := range parts[1:] {
		whole.Findings = append(whole.Findings, p.Findings...)
		whole.Reasons = addReasons(whole.Reasons, p.Reasons)
		e := &whole.Evidence
		e.Unread = append(e.Unread, p.Evidence.Unread...)
		e.Source = scanners.Weaker(e.Source, p.Evidence.Source)
		if p.Evidence.Canary == "missing" {
			e.Canary = "missing"
		}
		if e.FilesRead == nil || p.Evidence.FilesRead == nil {
			e.FilesRead = nil
		} else {
			sum := *e.FilesRead + *p.Evidence.FilesRead
			e.FilesRead = &sum
		}
	}
	switch {
	case slices.ContainsFunc(parts, func(p scanners.Result) bool { return p.Status == scanners.Broken }):
		whole.Status = scanners.Broken
	case len(whole.Findings) > 0:
		whole.Status = scanners.Found
	default:
		whole.Status = scanners.Clean
	}
	return whole
}

// addReasons keeps one reason for each code: which shard it came from is no part of a result.
func addReasons(to, from []scanners.Reason) []scanners.Reason {
	for _, r := range from {
		if !slices.ContainsFunc(to, func(have scanners.Reason) bool { return have.Code == r.Code }) {
			to = append(to, r)
		}
	}
	return to
}

func has(v workspace.View) func(string) bool {
	return func(path string) bool {
		_, ok := v.Source(path)
		return ok
	}
}

// mapBack turns paths of the view into paths of the workspace.
func mapBack(r *scanners.Result, v workspace.View) {
	back := func(p string) string {
		if e, ok := v.Source(p); ok && e.Source != "" {
			return e.Source
		}
		return p
	}
	r.Findings = slices.Clone(r.Findings)
	for i := range r.Findings {
		f := &r.Findings[i]
		if from := f.Path; back(from) != from {
			f.Path = back(from)
			f.Message = strings.ReplaceAll(f.Message, from, f.Path) // a tool may name the alias in its text
		}
	}
	r.Evidence.Unread = slices.Clone(r.Evidence.Unread)
	for i := range r.Evidence.Unread {
		r.Evidence.Unread[i].Path = back(r.Evidence.Unread[i].Path)
	}
}
