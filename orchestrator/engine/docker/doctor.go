package docker

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/system"
)

// Report is what a person needs to know of the engine found.
type Report struct {
	Host     string // the socket that answers
	Product  string // "Docker Engine", "Podman Engine", ...
	Version  string
	API      string // as negotiated
	Cgroup   string // "1" or "2" and its driver
	Security []string
	Rootless bool
	Limits   bool     // memory, pids and CPU of a job are held by a cgroup
	Warnings []string // what is weaker than it could be, each with its way out
}

// Check looks for an engine as New does, and changes nothing. The error is an *AbsentError where none answers; where one
// answers that can run no job, the Report says what was found.
func Check(ctx context.Context, host string) (r Report, err error) {
	api, err := connect(ctx, host)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, api.Close()) }()
	r.Host, r.API = api.DaemonHost(), api.ClientVersion()
	v, err := api.ServerVersion(ctx)
	if err != nil {
		return r, fmt.Errorf("ask %s for its version: %w", r.Host, err)
	}
	r.Version, r.Product = v.Version, product(v)
	info, err := api.Info(ctx)
	if err != nil {
		return r, fmt.Errorf("ask %s about itself: %w", r.Host, err)
	}
	r.Cgroup = fmt.Sprintf("v%s, %s", info.CgroupVersion, info.CgroupDriver)
	r.Security = info.SecurityOptions
	r.Rootless = option(info, "rootless")
	r.Limits = limited(info)
	r.Warnings = warnings(info)
	return r, usable(info, r.API)
}

// product is what calls itself the engine: Docker says "Engine", Podman "Podman Engine".
func product(v types.Version) string {
	if len(v.Components) == 0 || v.Components[0].Name == "Engine" {
		return "Docker Engine"
	}
	return v.Components[0].Name
}

func warnings(info system.Info) []string {
	var out []string
	for _, x := range []struct {
		ok   bool
		what string
	}{
		{info.MemoryLimit, "no memory limit by cgroup: jobs get rlimits per process; enable the memory controller"},
		{info.PidsLimit, "no task limit by cgroup: jobs get rlimits per user; enable the pids controller"},
		{info.CPUCfsQuota, "no CPU limit by cgroup: jobs are bounded by time only; enable the cpu controller"},
		{info.SwapLimit || !info.MemoryLimit, "no swap limit: a job may use swap beyond its memory; boot with swapaccount=1, or without swap"},
	} {
		if !x.ok {
			out = append(out, x.what)
		}
	}
	return out
}
