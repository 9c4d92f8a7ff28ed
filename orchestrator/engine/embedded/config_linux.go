//go:build linux && cgo

package embedded

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runc/libcontainer/configs"
	"github.com/opencontainers/runc/libcontainer/specconv"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/scangate/scangate/orchestrator/engine"
	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// readOnly binds a folder with everything mounted below it; the r flags are mount_setattr(2) with AT_RECURSIVE, without
// which a mount below would stay writable.
var readOnly = []string{"rbind", "rprivate", "rro", "rnosuid", "rnodev"}

const cpuPeriod = 100_000 // µs, the kernel's default

// containerConfig is the whole sandbox, but for what the init does by itself.
func (e *embedded) containerConfig(id, rootfs string, j engine.Job) (*configs.Config, error) {
	mounts, err := e.mounts(j)
	if err != nil {
		return nil, err
	}
	s := &specs.Spec{
		Version:  specs.Version,
		Root:     &specs.Root{Path: rootfs, Readonly: true},
		Hostname: sandbox.Hostname,
		Mounts:   mounts,
		Process:  &specs.Process{Cwd: "/", NoNewPrivileges: true, Capabilities: &specs.LinuxCapabilities{}},
		Linux: &specs.Linux{
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.NetworkNamespace}, {Type: specs.IPCNamespace},
				{Type: specs.UTSNamespace}, {Type: specs.MountNamespace}, {Type: specs.CgroupNamespace},
			},
			MaskedPaths:       sandbox.MaskedPaths(),
			ReadonlyPaths:     sandbox.ReadonlyPaths(),
			RootfsPropagation: "rprivate",
			Resources:         &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
		},
	}
	if e.rootless {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		// libcontainer maps the container's root or refuses; the init maps that on to the job's user.
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(os.Geteuid()), Size: 1}}
		s.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(os.Getegid()), Size: 1}}
	}
	if e.cgroups {
		s.Linux.CgroupsPath = cgroupPath(id)
		limit(s.Linux.Resources, j.Limits)
	}
	c, err := specconv.CreateLibcontainerConfig(&specconv.CreateOpts{
		CgroupName: id, Spec: s, RootlessEUID: e.rootless, RootlessCgroups: !e.cgroups,
		// The kernel lets a user have 200 keys and frees them late; the filter refuses every call that could use one.
		NoNewKeyring: true,
	})
	if err != nil {
		return nil, fmt.Errorf("configure container: %w", err)
	}
	return c, nil
}

func limit(r *specs.LinuxResources, l sandbox.Limits) {
	pids := int64(l.Pids + sandbox.InitTasks)
	quota, period := int64(max(l.CPU, 1))*cpuPeriod, uint64(cpuPeriod)
	r.Pids = &specs.LinuxPids{Limit: &pids}
	r.CPU = &specs.LinuxCPU{Quota: &quota, Period: &period}
	r.Memory = &specs.LinuxMemory{Limit: &l.Memory, Swap: &l.Memory} // memory and swap together: no swap
}

func (e *embedded) mounts(j engine.Job) ([]specs.Mount, error) {
	devices := []string{"nosuid", "noexec", "strictatime", "mode=755", "size=65536k"}
	if e.rootless {
		// There the job's user owns the folder.
		devices = append(devices, "ro")
	}
	scratch := func(size int64, more ...string) []string {
		return append([]string{"nosuid", "nodev", "noexec", "mode=1777", fmt.Sprintf("size=%d", size)}, more...)
	}
	out := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: devices},
		{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: scratch(sandbox.ShmSize)},
		{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/tmp", Type: "tmpfs", Source: "tmpfs", Options: scratch(j.Limits.Tmp)},
		{Destination: sandbox.InitDir, Type: "bind", Source: e.initDir, Options: readOnly},
	}
	for _, m := range j.Mounts {
		if !filepath.IsAbs(m.Source) || !path.IsAbs(m.Target) || path.Clean(m.Target) != m.Target || m.Target == "/" {
			return nil, fmt.Errorf("mount %s at %s: want absolute paths, and not the root", m.Source, m.Target)
		}
		if m.Target == sandbox.InitDir || strings.HasPrefix(m.Target, sandbox.InitDir+"/") {
			return nil, fmt.Errorf("mount %s at %s: the place is the init's", m.Source, m.Target)
		}
		out = append(out, specs.Mount{Destination: m.Target, Type: "bind", Source: m.Source, Options: readOnly})
	}
	return out, nil
}
