package workspace

import "strings"

// wildcard is a pattern in the sense of git's wildmatch.c with WM_PATHNAME (git 2.39), as a chain of states. It is
// simulated state by state: time is bounded by pattern times name, where git backtracks and a hostile pattern can stall it.
type wildcard struct {
	states []state
}

// state consumes one byte that is in set and goes on. With loop it may stay as long as bytes are in set, also for none.
// With skip it consumes nothing and goes on to the next state or three further: "**/" may stand for no folder at all.
type state struct {
	set  *byteSet
	loop bool
	skip bool
}

type byteSet [4]uint64

func (s *byteSet) add(c byte)      { s[c>>6] |= 1 << (c & 63) }
func (s *byteSet) remove(c byte)   { s[c>>6] &^= 1 << (c & 63) }
func (s *byteSet) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }

var (
	anyByte  = &byteSet{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	notSlash = func() *byteSet { s := *anyByte; s.remove('/'); return &s }()
)

// compileWildcard returns nil for a pattern that matches nothing: an open "[", a lone "\" at the end, "[:nonsense:]".
func compileWildcard(p string) *wildcard {
	w := &wildcard{}
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '\\':
			i++
			if i == len(p) {
				return nil
			}
			w.one(single(p[i]))
		case '?':
			w.one(notSlash)
		case '*':
			from := i
			for i+1 < len(p) && p[i+1] == '*' {
				i++
			}
			rest := p[i+1:]
			folders := i > from && (from == 0 || p[from-1] == '/') &&
				(rest == "" || rest[0] == '/' || strings.HasPrefix(rest, `\/`))
			switch {
			case folders && strings.HasPrefix(rest, "/"):
				w.states = append(w.states, state{set: new(byteSet), skip: true}, state{set: anyByte, loop: true})
			case folders:
				w.states = append(w.states, state{set: anyByte, loop: true})
			default:
				w.states = append(w.states, state{set: notSlash, loop: true})
			}
		case '[':
			set, end := parseClass(p, i)
			if set == nil {
				return nil
			}
			w.one(set)
			i = end
		default:
			w.one(single(p[i]))
		}
	}
	return w
}

func (w *wildcard) one(s *byteSet) { w.states = append(w.states, state{set: s}) }

func single(c byte) *byteSet {
	s := new(byteSet)
	s.add(c)
	return s
}

// match tells whether the whole of name matches.
func (w *wildcard) match(name string) bool {
	n := len(w.states)
	now, next := make([]bool, n+1), make([]bool, n+1)
	now[0] = true
	w.settle(now)
	for i := 0; i < len(name); i++ {
		clear(next)
		live := false
		for s, on := range now[:n] {
			if !on || !w.states[s].set.has(name[i]) {
				continue
			}
			live = true
			if w.states[s].loop {
				next[s] = true
			} else {
				next[s+1] = true
			}
		}
		if !live {
			return false
		}
		w.settle(next)
		now, next = next, now
	}
	return now[n]
}

// settle adds the states that are reached without consuming a byte.
func (w *wildcard) settle(on []bool) {
	for s, st := range w.states {
		if !on[s] {
			continue
		}
		if st.loop || st.skip {
			on[s+1] = true
		}
		if st.skip {
			on[s+3] = true
		}
	}
}

// parseClass reads the bracket expression that begins at p[i] and returns its bytes, without "/", and the index of its
// "]"; a nil set where git gives up on the pattern.
func parseClass(p string, i int) (*byteSet, int) {
	at := func(i int) byte { // as in C: 0 behind the end
		if i < len(p) {
			return p[i]
		}
		return 0
	}
	set := new(byteSet)
	i++
	negated := at(i) == '!' || at(i) == '^'
	if negated {
		i++
	}
	var before byte // 0: no character that could begin a range
	for first := true; first || at(i) != ']'; first = false {
		c := at(i)
		switch {
		case c == 0:
			return nil, 0
		case c == '\\':
			i++
			if c = at(i); c == 0 {
				return nil, 0
			}
			set.add(c)
			before = c
		case c == '-' && before != 0 && at(i+1) != 0 && at(i+1) != ']':
			i++
			if at(i) == '\\' {
				i++
			}
			if at(i) == 0 {
				return nil, 0
			}
			for b := int(before); b <= int(at(i)); b++ {
				set.add(byte(b))
			}
			before = 0
		case c == '[' && at(i+1) == ':':
			end := strings.IndexByte(p[i+2:], ']')
			if end < 0 {
				return nil, 0
			}
			name, ok := strings.CutSuffix(p[i+2:i+2+end], ":")
			if !ok { // a "[" like any other
				set.add('[')
				before = '['
				break
			}
			in := classes[name]
			if in == nil {
				return nil, 0
			}
			for b := range 256 {
				if in(byte(b)) {
					set.add(byte(b))
				}
			}
			i += 2 + end
			before = 0
		default:
			set.add(c)
			before = c
		}
		i++
	}
	if negated {
		for w := range set {
			set[w] = ^set[w]
		}
	}
	set.remove('/')
	return set, i
}

// classes are git's own character classes, in ASCII whatever the locale; its space has no \v and \f (git's ctype.c).
var classes = map[string]func(byte) bool{
	"alnum":  func(c byte) bool { return alpha(c) || digit(c) },
	"alpha":  alpha,
	"blank":  func(c byte) bool { return c == ' ' || c == '\t' },
	"cntrl":  func(c byte) bool { return c < 0x20 || c == 0x7f },
	"digit":  digit,
	"graph":  func(c byte) bool { return c > ' ' && c < 0x7f },
	"lower":  func(c byte) bool { return 'a' <= c && c <= 'z' },
	"print":  func(c byte) bool { return c >= ' ' && c < 0x7f },
	"punct":  func(c byte) bool { return c > ' ' && c < 0x7f && !alpha(c) && !digit(c) },
	"space":  func(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' },
	"upper":  func(c byte) bool { return 'A' <= c && c <= 'Z' },
	"xdigit": func(c byte) bool { return digit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' },
}

func alpha(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func digit(c byte) bool { return '0' <= c && c <= '9' }
