//go:build linux && (amd64 || arm64)

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/scangate/scangate/orchestrator/engine/sandbox"
)

// collect finds the facts of the calling thread, which is about to become the program.
func collect() (sandbox.Facts, error) {
	f := sandbox.Facts{UID: os.Getuid(), GID: os.Getgid(), Groups: []int{}, Writable: []string{}, Interfaces: []string{}}
	var err error
	if f.Groups, err = os.Getgroups(); err != nil {
		return f, err
	}
	slices.Sort(f.Groups)
	if err := readStatus(&f); err != nil {
		return f, err
	}
	if f.Writable, err = writable(); err != nil {
		return f, err
	}
	if f.Interfaces, err = interfaces(); err != nil {
		return f, err
	}
	if f.UserNamespace, err = inUserNamespace(); err != nil {
		return f, err
	}
	if f.Hostname, err = os.Hostname(); err != nil {
		return f, err
	}
	if fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err == nil {
		f.UnixSocket = true
		unix.Close(fd)
	}
	return f, nil
}

// readStatus reads proc_pid_status(5).
func readStatus(f *sandbox.Facts) error {
	b, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return err
	}
	var caps uint64
	seen := 0
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "NoNewPrivs":
			f.NoNewPrivs = value == "1"
		case "Seccomp":
			if f.Seccomp, err = strconv.Atoi(value); err != nil {
				return fmt.Errorf("read status: %w", err)
			}
		case "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
			set, err := strconv.ParseUint(value, 16, 64)
			if err != nil {
				return fmt.Errorf("read status: %w", err)
			}
			caps |= set
			seen++
		}
	}
	if seen != 5 {
		return fmt.Errorf("read status: %d sets of capabilities, not 5", seen)
	}
	f.Caps = strconv.FormatUint(caps, 16)
	return nil
}

type mount struct {
	point string
	flags []string // of the mount, not of its file system
}

// mounts reads proc_pid_mountinfo(5).
func mounts() ([]mount, error) {
	b, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return nil, err
	}
	var out []mount
	for line := range strings.Lines(string(b)) {
		w := strings.Fields(line)
		if len(w) < 6 {
			return nil, fmt.Errorf("read mountinfo: a line of %d words", len(w))
		}
		out = append(out, mount{unescape(w[4]), strings.Split(w[5], ",")})
	}
	return out, nil
}

// unescape undoes the octal escapes of blanks and backslashes.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// writable lists the mount points that the job may write to.
func writable() ([]string, error) {
	all, err := mounts()
	if err != nil {
		return nil, err
	}
	out := []string{}
	for _, m := range all {
		if harmless(m.point) {
			continue
		}
		switch err := unix.Access(m.point, unix.W_OK); err {
		case nil:
			out = append(out, m.point)
		case unix.EACCES, unix.EROFS, unix.EPERM, unix.ENOENT: // ENOENT: another mount hides it
		default:
			return nil, fmt.Errorf("access %s: %w", m.point, err)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// harmless is one of the devices every program may write to: null, zero, full, random, urandom, tty.
func harmless(path string) bool {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return false
	}
	major, minor := unix.Major(st.Rdev), unix.Minor(st.Rdev)
	return major == 1 && slices.Contains([]uint32{3, 5, 7, 8, 9}, minor) || major == 5 && minor == 0
}

// interfaces lists the network interfaces that are up. Where the host has tunnel modules, the kernel puts a dead tunl0 or
// sit0 into every new namespace, and nobody in the job could bring it up.
func interfaces() ([]string, error) {
	b, err := os.ReadFile("/proc/thread-self/net/dev")
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(fd)
	out := []string{}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		name, _, ok := strings.Cut(s.Text(), ":")
		if !ok { // the two lines of headings
			continue
		}
		name = strings.TrimSpace(name)
		req, err := unix.NewIfreq(name)
		if err != nil {
			return nil, fmt.Errorf("interface %s: %w", name, err)
		}
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req); err != nil {
			return nil, fmt.Errorf("interface %s: %w", name, err)
		}
		if req.Uint16()&unix.IFF_UP != 0 {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out, nil
}
