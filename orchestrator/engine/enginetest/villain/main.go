// Command villain is what the engines' tests run as a scanner: each of its acts is something a job must not get away
// with, or must get right.
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var acts = map[string]func(args []string) error{
	"exit":     func(a []string) error { os.Exit(number(a[0])); return nil },
	"say":      say,
	"flood":    flood,
	"sleep":    func([]string) error { time.Sleep(time.Hour); return nil },
	"stubborn": stubborn,
	"bomb":     bomb,
	"eat":      eat,
	"child":    child,
	"daemon":   daemon,
	"raise":    func(a []string) error { return syscall.Kill(os.Getpid(), syscall.Signal(number(a[0]))) },
	"murder":   murder,
	"create":   create,
	"cat":      cat,
	"env":      func([]string) error { fmt.Print(strings.Join(os.Environ(), "\n")); return nil },
	"args":     func(a []string) error { fmt.Printf("%q", a); return nil },
	"dial":     dial,
	"fill":     fill,
	"fds":      fds,
	"ps":       ps,
}

func main() {
	act := acts[os.Args[1]]
	if act == nil {
		fmt.Fprintln(os.Stderr, "no such act:", os.Args[1])
		os.Exit(64)
	}
	if err := act(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(70)
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic(err)
	}
	return n
}

// say writes so many bytes to each stream.
func say(a []string) error {
	os.Stdout.Write(bytes.Repeat([]byte("o"), number(a[0])))
	os.Stderr.Write(bytes.Repeat([]byte("e"), number(a[1])))
	return nil
}

// flood writes for ever.
func flood(a []string) error {
	w := map[string]io.Writer{"stdout": os.Stdout, "stderr": os.Stderr}[a[0]]
	for {
		if _, err := w.Write(make([]byte, 64<<10)); err != nil {
			return err
		}
	}
}

func stubborn([]string) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	time.Sleep(time.Hour)
	return nil
}

// bomb starts processes until it is refused, and says whether that was before the limit it is given.
func bomb(a []string) error {
	for range number(a[0]) {
		if err := exec.Command("/proc/self/exe", "sleep").Start(); err != nil {
			fmt.Print("refused")
			return nil
		}
	}
	fmt.Print("not refused")
	return nil
}

// eat fills memory with something.
func eat(a []string) error {
	var all [][]byte
	for range number(a[0]) {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = byte(i)
		}
		all = append(all, b)
	}
	fmt.Print(len(all))
	return nil
}

// child lets a child do the act, whatever becomes of it.
func child(a []string) error {
	err := exec.Command("/proc/self/exe", a...).Run()
	fmt.Print(err != nil)
	return nil
}

// daemon leaves a process behind that keeps both streams open.
func daemon([]string) error {
	c := exec.Command("/proc/self/exe", "stubborn")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return c.Start()
}

// murder sends every signal to PID 1, and then ends well.
func murder([]string) error {
	for s := range syscall.Signal(65) {
		_ = syscall.Kill(1, s)
	}
	fmt.Print("done")
	return nil
}

// create prints those of the paths where it could create a file.
func create(a []string) error {
	for _, p := range a {
		if f, err := os.Create(p); err == nil {
			f.Close()
			fmt.Println(p)
		}
	}
	return nil
}

func cat(a []string) error {
	for _, p := range a {
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		os.Stdout.Write(b)
	}
	return nil
}

// dial prints whether there is anybody at the addresses, each a network and an address.
func dial(a []string) error {
	for i := 0; i < len(a); i += 2 {
		c, err := net.DialTimeout(a[i], a[i+1], time.Second)
		if err == nil {
			c.Close()
		}
		fmt.Println(err == nil)
	}
	return nil
}

// fill writes so many MiB to a file.
func fill(a []string) error {
	f, err := os.Create(a[0])
	if err != nil {
		return err
	}
	for range number(a[1]) {
		if _, err := f.Write(make([]byte, 1<<20)); err != nil {
			fmt.Print("full")
			return nil
		}
	}
	fmt.Print("not full")
	return f.Close()
}

// fds prints the descriptors it was given, and what they are.
func fds([]string) error {
	for n := range 100 {
		if link, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(n)); err == nil && !strings.Contains(link, "eventpoll") && !strings.Contains(link, "eventfd") {
			kind, _, _ := strings.Cut(link, ":")
			fmt.Println(n, kind)
		}
	}
	return nil
}

// ps prints the command of every process it sees.
func ps([]string) error {
	dirs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	for _, d := range dirs {
		b, err := os.ReadFile(d)
		if err != nil {
			return err
		}
		name, _, _ := strings.Cut(string(b), "\x00")
		fmt.Println(name)
	}
	return nil
}
