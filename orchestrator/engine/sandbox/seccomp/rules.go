// Package seccomp says which system calls a job may make, and compiles that to the classic BPF that the init installs.
// It is not linked into the init: go generate writes the compiled filters beside the init's source.
package seccomp

import "strings"

//go:generate go run ./gen ../init

// Errno values are the same on amd64 and arm64: asm-generic/errno-base.h and errno.h.
const (
	eperm  = 1
	eacces = 13
	enosys = 38
)

// allowed calls pass whatever their arguments are. A call that is neither here nor below, one newer than this table, and
// one of a foreign ABI are refused with ENOSYS, which programs take for an older kernel.
var allowed = strings.Fields(`
	accept accept4 access alarm arch_prctl bind brk cachestat capget capset chdir chmod chown clock_getres clock_gettime
	clock_nanosleep close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl
	epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64
	fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr
	fsetxattr fstat fstatat fstatfs fsync ftruncate futex futex_requeue futex_wait futex_waitv futex_wake futimesat
	get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpeername
	getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid getsockname
	getsockopt gettid gettimeofday getuid getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch
	ioctl ioprio_get ioprio_set kill lchown lgetxattr link linkat listen listxattr listxattrat llistxattr lremovexattr
	lseek lsetxattr lstat madvise map_shadow_stack membarrier memfd_create mincore mkdir mkdirat mknod mknodat mlock mlock2
	mlockall mmap mprotect mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep newfstatat open
	openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl
	pread64 preadv preadv2 prlimit64 pselect6 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv recvfrom
	recvmmsg recvmsg remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall rmdir rseq
	rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo
	sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
	sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl
	semget semop semtimedop sendfile sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid
	setfsuid setgid setgroups setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setsockopt
	setuid setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 splice stat statfs statx
	symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun
	timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask uname unlink
	unlinkat utime utimensat utimes vfork wait4 waitid write writev
`)

// refused calls reach the kernel's privileged, rarely used or often broken parts. EPERM is for what every program knows may
// be refused, ENOSYS for what a program falls back from.
var refused = map[uint32][]string{
	eperm: strings.Fields(`
		acct adjtimex chroot clock_adjtime clock_settime delete_module finit_module init_module ioperm iopl kcmp
		kexec_file_load kexec_load lookup_dcookie mount name_to_handle_at open_by_handle_at personality perf_event_open
		pidfd_getfd pivot_root process_vm_readv process_vm_writev ptrace quotactl quotactl_fd reboot setdomainname sethostname
		setns settimeofday swapoff swapon syslog umount2 unshare userfaultfd vhangup
		fsconfig fsmount fsopen fspick mount_setattr move_mount open_tree open_tree_attr
		add_key keyctl request_key bpf`),
	enosys: strings.Fields(`
		clone3 fanotify_init fanotify_mark io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit io_uring_enter
		io_uring_register io_uring_setup landlock_add_rule landlock_create_ruleset landlock_restrict_self listmount
		lsm_get_self_attr lsm_list_modules lsm_set_self_attr memfd_secret modify_ldt mq_getsetattr mq_notify mq_open
		mq_timedreceive mq_timedsend mq_unlink process_madvise process_mrelease statmount uretprobe vmsplice
		get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node`),
}

// gone are calls that 64-bit kernels do not have, or no longer: they stay on ENOSYS.
var gone = strings.Fields(`
	_sysctl afs_syscall arch_specific_syscall clock_adjtime64 clock_getres_time64 clock_gettime64 clock_nanosleep_time64
	clock_settime64 create_module epoll_ctl_old epoll_wait_old futex_time64 get_kernel_syms getpmsg io_pgetevents_time64
	mq_timedreceive_time64 mq_timedsend_time64 nfsservctl ppoll_time64 pselect6_time64 putpmsg query_module recvmmsg_time64
	rt_sigtimedwait_time64 sched_rr_get_interval_time64 security semtimedop_time64 sysfs timer_gettime64 timer_settime64
	timerfd_gettime64 timerfd_settime64 tuxcall uselib ustat utimensat_time64 vserver
`)

// cloneNew are the flags of clone(2) that make namespaces.
const cloneNew = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000

// conditional calls pass only where all their tests hold; the low 32 bits of an argument are all the kernel reads there.
//
// A socket is IP, over TCP or UDP: the job has only its own loopback. A socket of any other family is a way out through a
// socket file in the workspace (AF_UNIX), or loads kernel modules nobody else uses. socketpair(2) has no name to connect
// to, so AF_UNIX is allowed there.
var conditional = []condition{
	{"clone", eperm, []test{{arg: 0, mask: cloneNew, in: []uint32{0}}}},
	{"socket", eacces, []test{{arg: 0, mask: all, in: []uint32{afInet, afInet6}}, {arg: 2, mask: all, in: []uint32{0, ipTCP, ipUDP}}}},
	{"socketpair", eacces, []test{{arg: 0, mask: all, in: []uint32{afUnix}}}},
}

const (
	all = 0xffffffff

	afUnix  = 1
	afInet  = 2
	afInet6 = 10
	ipTCP   = 6
	ipUDP   = 17
)

type condition struct {
	name  string
	errno uint32
	tests []test
}

// test holds where argument arg, masked, is one of in.
type test struct {
	arg  uint32
	mask uint32
	in   []uint32
}
