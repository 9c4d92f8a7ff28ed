//go:build linux && cgo

package embedded

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/opencontainers/cgroups"
	"github.com/opencontainers/cgroups/manager"
	"golang.org/x/sys/unix"
)

// cgroupPath is below the root of each hierarchy, for the job or the leftover called id.
func cgroupPath(id string) string { return "/scangate/" + id }

// cgroupMounted says whether there is any cgroup file system: libcontainer makes no container without one.
func cgroupMounted() (bool, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return false, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		_, after, _ := strings.Cut(s.Text(), " - ")
		if strings.HasPrefix(after, "cgroup ") || strings.HasPrefix(after, "cgroup2 ") {
			return true, nil
		}
	}
	return false, s.Err()
}

// tryCgroup makes a cgroup with all the limits a job gets and removes it again. It has no process in it.
func tryCgroup(id string) (err error) {
	swap := int64(64 << 20)
	m, err := manager.New(&cgroups.Cgroup{Path: cgroupPath(id), Resources: &cgroups.Resources{}})
	if err != nil {
		return err
	}
	if err := m.Apply(-1); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Destroy()) }()
	pids := int64(64)
	r := &cgroups.Resources{Memory: swap, MemorySwap: swap, PidsLimit: &pids, CpuQuota: cpuPeriod, CpuPeriod: cpuPeriod, SkipDevices: true}
	if err := m.Set(r); err != nil {
		return err
	}
	if _, err := m.OOMKillCount(); err != nil {
		return fmt.Errorf("count of out-of-memory kills: %w", err)
	}
	return nil
}

// removeCgroup kills what is in the cgroup of a job that has no parent any more, and removes it.
func removeCgroup(id string) error {
	m, err := manager.New(&cgroups.Cgroup{Path: cgroupPath(id), Resources: &cgroups.Resources{}})
	if err != nil {
		return err
	}
	// Of cgroup v1, Exists looks at one hierarchy of many.
	if m.Exists() {
		pids, err := m.GetAllPids()
		if err != nil {
			return err
		}
		for _, p := range pids {
			if err := unix.Kill(p, unix.SIGKILL); err != nil && err != unix.ESRCH {
				return fmt.Errorf("kill %d: %w", p, err)
			}
		}
	}
	return m.Destroy()
}
