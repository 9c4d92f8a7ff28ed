//go:build linux && (amd64 || arm64)

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// probe prints what a job can and cannot do, one fact a line. Run as a job's program, the text is the same on every
// engine: ../testdata/probe.golden.
func probe(w io.Writer) error {
	facts, err := collect()
	if err != nil {
		return err
	}
	var b strings.Builder
	line := func(name string, value any) { fmt.Fprintf(&b, "%-36s %v\n", name, value) }
	line("uid", facts.UID)
	line("gid", facts.GID)
	line("no_new_privs", facts.NoNewPrivs)
	line("seccomp", facts.Seccomp)
	line("capabilities", facts.Caps)
	line("hostname", facts.Hostname)
	line("interfaces", strings.Join(facts.Interfaces, " "))
	line("writable", strings.Join(facts.Writable, " "))
	for _, r := range []struct {
		name string
		what int
	}{{"core", unix.RLIMIT_CORE}, {"nofile", unix.RLIMIT_NOFILE}} {
		// The Go runtime raised this process's soft limit; the hard one is what holds.
		var l unix.Rlimit
		if err := unix.Getrlimit(r.what, &l); err != nil {
			return err
		}
		line("limit "+r.name, l.Max)
	}
	for _, dir := range []string{"/", "/workspace", "/tmp", "/dev", "/dev/shm", "/proc", "/sys", "/etc", "/proc/sys/kernel"} {
		line("create in "+dir, create(dir))
	}
	for _, file := range []string{
		"/proc/1/environ", "/proc/1/maps", "/proc/1/mem", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/scsi",
		"/proc/timer_list", "/sys/firmware", "/sys/kernel",
	} {
		line("read "+file, read(file))
	}
	for _, file := range []string{"/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/1/mem", "/proc/1/fd/0", "/proc/1/fd/1"} {
		line("write "+file, write(file))
	}
	line("mknod block device", errno(unix.Mknod("/tmp/.probe", unix.S_IFBLK|0o600, int(unix.Mkdev(8, 0)))))
	line("run from /tmp", runFrom("/tmp"))
	line("run from /dev/shm", runFrom("/dev/shm"))
	for _, s := range sockets {
		line("socket "+s.name, socket(s.family, s.kind, s.proto))
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	line("socketpair unix", errno(err))
	if err == nil {
		err = errors.Join(unix.Close(pair[0]), unix.Close(pair[1]))
	}
	line("signal to PID 1", errno(unix.Kill(1, unix.SIGKILL)))
	for _, c := range calls {
		line(c.name, call(c.nr, c.args))
	}
	_, werr := io.WriteString(w, b.String())
	return errors.Join(err, werr)
}

var sockets = []struct {
	name                string
	family, kind, proto int
}{
	{"inet tcp", unix.AF_INET, unix.SOCK_STREAM, 0},
	{"inet raw", unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP},
	{"inet sctp", unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP},
	{"unix", unix.AF_UNIX, unix.SOCK_STREAM, 0},
	{"netlink", unix.AF_NETLINK, unix.SOCK_RAW, 0},
	{"packet", unix.AF_PACKET, unix.SOCK_RAW, 0},
	{"key", unix.AF_KEY, unix.SOCK_RAW, 2},
	{"alg", unix.AF_ALG, unix.SOCK_SEQPACKET, 0},
	{"vsock", unix.AF_VSOCK, unix.SOCK_STREAM, 0},
	{"xdp", unix.AF_XDP, unix.SOCK_RAW, 0},
	{"tipc", unix.AF_TIPC, unix.SOCK_STREAM, 0},
	{"rxrpc", unix.AF_RXRPC, unix.SOCK_DGRAM, 0},
	{"bluetooth", unix.AF_BLUETOOTH, unix.SOCK_RAW, 0},
}

// none is an argument that is no descriptor, so that a call the filter lets through does nothing.
const none = ^uintptr(0)

var calls = []struct {
	name string
	nr   uintptr
	args [6]uintptr
}{
	{"io_uring_setup", unix.SYS_IO_URING_SETUP, [6]uintptr{1}},
	{"bpf", unix.SYS_BPF, [6]uintptr{0}},
	{"userfaultfd", unix.SYS_USERFAULTFD, [6]uintptr{}},
	{"keyctl", unix.SYS_KEYCTL, [6]uintptr{}},
	{"add_key", unix.SYS_ADD_KEY, [6]uintptr{}},
	{"request_key", unix.SYS_REQUEST_KEY, [6]uintptr{}},
	{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, [6]uintptr{}},
	{"ptrace", unix.SYS_PTRACE, [6]uintptr{}},
	{"process_vm_readv", unix.SYS_PROCESS_VM_READV, [6]uintptr{1}},
	{"process_vm_writev", unix.SYS_PROCESS_VM_WRITEV, [6]uintptr{1}},
	{"kcmp", unix.SYS_KCMP, [6]uintptr{1, 1}},
	{"pidfd_getfd", unix.SYS_PIDFD_GETFD, [6]uintptr{none}},
	{"mount", unix.SYS_MOUNT, [6]uintptr{}},
	{"umount2", unix.SYS_UMOUNT2, [6]uintptr{}},
	{"pivot_root", unix.SYS_PIVOT_ROOT, [6]uintptr{}},
	{"chroot", unix.SYS_CHROOT, [6]uintptr{}},
	{"open_tree", unix.SYS_OPEN_TREE, [6]uintptr{none}},
	{"move_mount", unix.SYS_MOVE_MOUNT, [6]uintptr{none}},
	{"mount_setattr", unix.SYS_MOUNT_SETATTR, [6]uintptr{none}},
	{"fsopen", unix.SYS_FSOPEN, [6]uintptr{}},
	{"fsmount", unix.SYS_FSMOUNT, [6]uintptr{none}},
	{"setns", unix.SYS_SETNS, [6]uintptr{none}},
	{"unshare user", unix.SYS_UNSHARE, [6]uintptr{unix.CLONE_NEWUSER}},
	{"unshare mount", unix.SYS_UNSHARE, [6]uintptr{unix.CLONE_NEWNS}},
	{"unshare nothing", unix.SYS_UNSHARE, [6]uintptr{}},
	{"clone user", unix.SYS_CLONE, [6]uintptr{unix.CLONE_NEWUSER | unix.CLONE_SIGHAND}}, // SIGHAND alone is invalid
	{"clone3", unix.SYS_CLONE3, [6]uintptr{}},
	{"kexec_load", unix.SYS_KEXEC_LOAD, [6]uintptr{}},
	{"finit_module", unix.SYS_FINIT_MODULE, [6]uintptr{none}},
	{"reboot", unix.SYS_REBOOT, [6]uintptr{}},
	{"swapon", unix.SYS_SWAPON, [6]uintptr{}},
	{"acct", unix.SYS_ACCT, [6]uintptr{}},
	{"quotactl", unix.SYS_QUOTACTL, [6]uintptr{none}},
	{"syslog", unix.SYS_SYSLOG, [6]uintptr{none}},
	{"sethostname", unix.SYS_SETHOSTNAME, [6]uintptr{}},
	{"clock_settime", unix.SYS_CLOCK_SETTIME, [6]uintptr{none}},
	{"open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT, [6]uintptr{none}},
	{"name_to_handle_at", unix.SYS_NAME_TO_HANDLE_AT, [6]uintptr{none}},
	{"personality", unix.SYS_PERSONALITY, [6]uintptr{0xffffffff}},
	{"memfd_secret", unix.SYS_MEMFD_SECRET, [6]uintptr{none}},
	{"mq_open", unix.SYS_MQ_OPEN, [6]uintptr{}},
	{"io_setup", unix.SYS_IO_SETUP, [6]uintptr{}},
	{"vmsplice", unix.SYS_VMSPLICE, [6]uintptr{none}},
	{"fanotify_init", unix.SYS_FANOTIFY_INIT, [6]uintptr{none}},
	{"mbind", unix.SYS_MBIND, [6]uintptr{}},
	{"a call of the future", 1000, [6]uintptr{}},
}

func call(nr uintptr, a [6]uintptr) string {
	_, _, e := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if e == 0 {
		return "ok"
	}
	return errno(e)
}

func socket(family, kind, proto int) string {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, proto)
	if err != nil {
		return errno(err)
	}
	return errno(unix.Close(fd))
}

// What a file system says to a write that must fail depends on the kernel and on who mounted it; that it fails does not.
const refused = "refused"

func create(dir string) string {
	f, err := os.CreateTemp(dir, ".probe")
	if err != nil {
		return refused
	}
	return errno(errors.Join(f.Close(), os.Remove(f.Name())))
}

func write(path string) string {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return refused
	}
	return errno(f.Close())
}

// read tells a file or folder with something in it from one that is masked, or that this kernel does not have.
func read(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return "nothing"
	}
	defer f.Close()
	if _, err = f.Readdirnames(1); err != nil {
		_, err = f.Read(make([]byte, 1))
	}
	if err != nil {
		return "nothing"
	}
	return "something"
}

// runFrom tries to run a program written below dir. The file is no program, so that even then nothing runs.
func runFrom(dir string) string {
	file := filepath.Join(dir, ".probe-program")
	if err := os.WriteFile(file, []byte{0}, 0o700); err != nil {
		return "write: " + errno(err)
	}
	defer os.Remove(file)
	path, err := unix.BytePtrFromString(file)
	if err != nil {
		return errno(err)
	}
	var empty [1]*byte
	_, _, e := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&empty)), uintptr(unsafe.Pointer(&empty)))
	return errno(e)
}

// errno names the error number, which is the same text on every machine.
func errno(err error) string {
	if err == nil {
		return "ok"
	}
	var e syscall.Errno
	if !errors.As(err, &e) {
		return err.Error()
	}
	if e == 0 {
		return "ok"
	}
	return unix.ErrnoName(e)
}
