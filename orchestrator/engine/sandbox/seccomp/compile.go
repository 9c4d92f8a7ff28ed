package seccomp

import (
	"fmt"
	"slices"

	"github.com/elastic/go-seccomp-bpf/arch"
)

// Instruction is struct sock_filter of linux/filter.h.
type Instruction struct {
	Code   uint16
	Jt, Jf uint8
	K      uint32
}

// Opcodes of linux/bpf_common.h that a filter uses.
const (
	load   = 0x20 // BPF_LD|BPF_W|BPF_ABS
	and    = 0x54 // BPF_ALU|BPF_AND|BPF_K
	jump   = 0x05 // BPF_JMP|BPF_JA
	jumpEq = 0x15 // BPF_JMP|BPF_JEQ|BPF_K
	jumpGe = 0x35 // BPF_JMP|BPF_JGE|BPF_K
	ret    = 0x06 // BPF_RET|BPF_K
)

// Actions of linux/seccomp.h; the errno is or'ed to retErrno.
const (
	retAllow = 0x7fff0000
	retErrno = 0x00050000
)

// Offsets in struct seccomp_data; both architectures are little endian, so an argument's low half comes first.
const (
	offNr   = 0
	offArch = 4
	offArgs = 16
)

const x32Bit = 0x40000000

// span gives every system call number from first on, up to the next span, one action.
type span struct {
	first  uint32
	action uint32
}

// Compile gives the filter for GOARCH goarch.
func Compile(goarch string) ([]Instruction, error) {
	table, err := tableOf(goarch)
	if err != nil {
		return nil, err
	}
	p := []Instruction{
		{load, 0, 0, offArch},
		{jumpEq, 1, 0, uint32(table.ID)},
		{ret, 0, 0, retErrno | enosys},
		{load, 0, 0, offNr},
		{jumpGe, 0, 1, x32Bit},
		{ret, 0, 0, retErrno | enosys},
	}
	for _, c := range conditional {
		nr, ok := table.SyscallNames[c.name]
		if !ok {
			return nil, fmt.Errorf("compile filter: %s has no %s", goarch, c.name)
		}
		block := c.compile()
		p = append(p, Instruction{jumpEq, 0, uint8(len(block)), uint32(nr)})
		p = append(p, block...)
	}
	return append(p, tree(spans(table))...), nil
}

func tableOf(goarch string) (*arch.Info, error) {
	switch goarch {
	case "amd64":
		return arch.X86_64, nil
	case "arm64":
		return arch.AARCH64, nil
	}
	return nil, fmt.Errorf("compile filter: no system call table for %s", goarch)
}

func (c condition) compile() []Instruction {
	var p []Instruction
	for _, t := range c.tests {
		p = append(p, Instruction{load, 0, 0, offArgs + 8*t.arg})
		if t.mask != all {
			p = append(p, Instruction{and, 0, 0, t.mask})
		}
		for i, v := range t.in {
			p = append(p, Instruction{jumpEq, uint8(len(t.in) - i), 0, v})
		}
		p = append(p, Instruction{ret, 0, 0, retErrno | c.errno})
	}
	return append(p, Instruction{ret, 0, 0, retAllow})
}

// spans is the action of every number. A name that the architecture does not have needs none.
func spans(table *arch.Info) []span {
	action := map[uint32]uint32{}
	set := func(names []string, a uint32) {
		for _, n := range names {
			if nr, ok := table.SyscallNames[n]; ok {
				action[uint32(nr)] = a
			}
		}
	}
	set(allowed, retAllow)
	for errno, names := range refused {
		set(names, retErrno|errno)
	}
	var last uint32
	for nr := range action {
		last = max(last, nr)
	}
	var out []span
	for nr := range last + 2 {
		a, ok := action[nr]
		if !ok {
			a = retErrno | enosys
		}
		if len(out) == 0 || out[len(out)-1].action != a {
			out = append(out, span{nr, a})
		}
	}
	return out
}

// tree is a binary search over s with the number in the accumulator. The jump to the right half is a JA, since that has a
// 32-bit offset.
func tree(s []span) []Instruction {
	if len(s) == 1 {
		return []Instruction{{ret, 0, 0, s[0].action}}
	}
	mid := len(s) / 2
	left := tree(s[:mid])
	return slices.Concat([]Instruction{{jumpGe, 0, 1, s[mid].first}, {jump, 0, 0, uint32(len(left))}}, left, tree(s[mid:]))
}
