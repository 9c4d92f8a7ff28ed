package docker

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/strslice"
	"github.com/docker/docker/api/types/system"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// daemonEnv are the variables that a daemon gives every container by itself.
var daemonEnv = []string{"PATH", "HOSTNAME", "TERM", "HOME", "container"}

// config overrides every field of the image's own configuration. A daemon fills in what is left empty: its Volumes and
// ExposedPorts cannot be emptied from here, so an image with the former is refused (ensure) and the latter mean nothing
// without a network.
func config(image loadedImage, labels map[string]string) *container.Config {
	return &container.Config{
		Image:      image.id,
		Entrypoint: strslice.StrSlice{sandbox.InitPath},
		Cmd:        strslice.StrSlice{},
		// Empty, so that no LD_PRELOAD or GODEBUG of the image reaches the init; the program's are in the Spec.
		Env:             emptied(daemonEnv, image.env),
		User:            fmt.Sprintf("%d:%d", sandbox.UID, sandbox.GID), // a name would be looked up in the image
		WorkingDir:      "/",
		Healthcheck:     &container.HealthConfig{Test: []string{"NONE"}},
		StopSignal:      "SIGKILL",
		Hostname:        sandbox.Hostname,
		NetworkDisabled: true,
		Labels:          labels,
		AttachStdin:     true,
		AttachStdout:    true,
		AttachStderr:    true,
		OpenStdin:       true,
		StdinOnce:       true, // the lifeline: stdin closes when our connection does
	}
}

// emptied gives every named variable the empty value: an API has no way to leave one out that works everywhere (Docker
// drops a bare NAME, Podman fills it in from its own environment).
func emptied(lists ...[]string) []string {
	seen := map[string]bool{}
	var out []string
	for _, list := range lists {
		for _, v := range list {
			name, _, _ := strings.Cut(v, "=")
			if name != "" && !seen[name] {
				seen[name] = true
				out = append(out, name+"=")
			}
		}
	}
	return out
}

// hostConfig is the sandbox. Seccomp and AppArmor stay the daemon's default, under the init's own seccomp filter.
func hostConfig(l sandbox.Limits, info system.Info, podman bool, mounts []mount.Mount) *container.HostConfig {
	pids := int64(l.Pids + sandbox.InitTasks)
	return &container.HostConfig{
		NetworkMode:    "none",
		ReadonlyRootfs: true,
		CapDrop:        strslice.StrSlice{"ALL"},
		SecurityOpt:    securityOpt(podman),
		IpcMode:        container.IPCModePrivate,
		CgroupnsMode:   container.CgroupnsModePrivate,
		LogConfig:      container.LogConfig{Type: "none"},
		RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyDisabled},
		ShmSize:        sandbox.ShmSize,
		Tmpfs:          scratch(l.Tmp, podman),
		Mounts:         mounts,
		MaskedPaths:    sandbox.MaskedPaths(),
		ReadonlyPaths:  sandbox.ReadonlyPaths(),
		Resources: container.Resources{
			Memory:     l.Memory,
			MemorySwap: l.Memory, // memory and swap together: no swap
			PidsLimit:  &pids,
			NanoCPUs:   int64(min(l.CPU, max(1, info.NCPU))) * 1e9, // more cores than there are is refused
			Ulimits:    ulimits(podman),
		},
	}
}

// securityOpt also names the masked paths for Podman, which does not take MaskedPaths from its Docker API.
func securityOpt(podman bool) []string {
	if podman {
		return []string{"no-new-privileges", "mask=" + strings.Join(sandbox.MaskedPaths(), ":")}
	}
	return []string{"no-new-privileges"}
}

// ulimits are of each process. Podman 4.3 asks for as many tasks as the kernel can have unless told otherwise, which root
// without CAP_SYS_RESOURCE may not; 4096 is of all jobs together, since they share a user.
func ulimits(podman bool) []*container.Ulimit {
	limits := []*container.Ulimit{{Name: "core"}, {Name: "nofile", Soft: sandbox.NoFile, Hard: sandbox.NoFile}}
	if podman {
		limits = append(limits, &container.Ulimit{Name: "nproc", Soft: 4096, Hard: 4096})
	}
	return limits
}

// scratch is the tmpfs at /tmp. runc 1.1.5 gives it the mode of the image's folder over mode=, so the owner is said too.
// Podman 4.3 refuses to be told it, so with that runc it has to be the image's /tmp that is 1777; and beside a read-only
// root it makes /run and /var/tmp writable, which a read-only tmpfs of ours prevents.
func scratch(size int64, podman bool) map[string]string {
	tmp := fmt.Sprintf("rw,nosuid,nodev,noexec,size=%d,mode=1777", size)
	if podman {
		const none = "ro,nosuid,nodev,noexec,size=4096,notmpcopyup"
		return map[string]string{"/tmp": tmp + ",notmpcopyup", "/run": none, "/var/tmp": none}
	}
	return map[string]string{"/tmp": tmp + fmt.Sprintf(",uid=%d,gid=%d", sandbox.UID, sandbox.GID)}
}

// binds are the init's folder and the job's, read-only with all that is mounted below them: below API 1.44 by leaving out
// what is mounted below (there it would stay writable), from then on by the daemon, which is told to fail if it cannot.
func binds(initDir string, list []engine.Mount, nested bool) ([]mount.Mount, error) {
	out := []mount.Mount{{Source: initDir, Target: sandbox.InitDir}}
	for _, m := range list {
		if !filepath.IsAbs(m.Source) || !path.IsAbs(m.Target) || path.Clean(m.Target) != m.Target || m.Target == "/" {
			return nil, fmt.Errorf("mount %s at %s: want absolute paths, and not the root", m.Source, m.Target)
		}
		if m.Target == sandbox.InitDir || strings.HasPrefix(m.Target, sandbox.InitDir+"/") {
			return nil, fmt.Errorf("mount %s at %s: the place is the init's", m.Source, m.Target)
		}
		if _, err := os.Stat(m.Source); err != nil { // Podman 4.3 would make an empty folder of that name
			return nil, fmt.Errorf("mount at %s: %w", m.Target, err)
		}
		out = append(out, mount.Mount{Source: m.Source, Target: m.Target})
	}
	for i := range out {
		out[i].Type, out[i].ReadOnly = mount.TypeBind, true
		out[i].BindOptions = &mount.BindOptions{Propagation: mount.PropagationRPrivate}
		if nested {
			out[i].BindOptions.ReadOnlyForceRecursive = true
		} else {
			out[i].BindOptions.NonRecursive = true
		}
	}
	return out, nil
}

// limited says whether the daemon can hold all of a job's limits by a cgroup.
func limited(info system.Info) bool {
	return info.MemoryLimit && info.PidsLimit && info.CPUCfsQuota && info.CgroupDriver != "none"
}

// held says whether it did: a daemon zeroes the limits it cannot hold, and says so only in a warning.
func held(asked, got *container.HostConfig) bool {
	return got != nil && got.Memory == asked.Memory && got.NanoCPUs == asked.NanoCPUs &&
		got.PidsLimit != nil && *got.PidsLimit == *asked.PidsLimit
}

func hasSeccomp(info system.Info) bool { return option(info, "seccomp") }

// option looks for "name=seccomp,profile=default" and the like.
func option(info system.Info, name string) bool {
	for _, o := range info.SecurityOptions {
		first, _, _ := strings.Cut(o, ",")
		if first == "name="+name || first == name {
			return true
		}
	}
	return false
}
