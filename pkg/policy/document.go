package policy

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"
)

// document reads scangate.yaml from its top.
func (r reader) document(n *yaml.Node) error {
	p := r.policy
	return r.mapping(n,
		key{"schema", func(n *yaml.Node) error {
			_, err := r.oneOf(n, Schema)
			return err
		}},
		key{"failing", r.failing(&p.Failing)},
		key{"scanners", r.scanners},
		key{"paths", func(n *yaml.Node) error { return r.list(n, r.path) }},
		key{"limits", r.limits},
		key{"isolation", func(n *yaml.Node) error {
			return r.mapping(n, key{"cgroups", func(n *yaml.Node) error {
				word, err := r.oneOf(n, string(Must), string(BestEffort))
				p.Isolation.Cgroups = Strength(word)
				return err
			}})
		}},
		key{"exemptions", func(n *yaml.Node) error { return r.list(n, r.exemption) }},
		key{"suppressions", func(n *yaml.Node) error { return r.list(n, r.suppression) }},
	)
}

func (r reader) scanners(n *yaml.Node) error {
	return r.entries(n, func(k, v *yaml.Node) error {
		if err := r.mention(k, k.Value); err != nil {
			return err
		}
		s := Scanner{Enabled: true}
		err := r.mapping(v,
			key{"enabled", r.boolean(&s.Enabled)},
			key{"required", func(n *yaml.Node) error {
				s.Required = new(bool)
				return r.boolean(s.Required)(n)
			}},
			key{"failing", r.failing(&s.Failing)},
		)
		if err != nil {
			return err
		}
		if !s.Enabled && s.Required != nil && *s.Required {
			return r.fail(k, "scanner %q is required and not enabled", k.Value)
		}
		r.policy.Scanners[k.Value] = s
		return nil
	})
}

func (r reader) path(n *yaml.Node) error {
	e := Paths{Match: []string{}, Scanners: []string{}, Rules: []string{}}
	err := r.mapping(n,
		key{"match", r.texts(&e.Match, r.glob)},
		key{"scanners", r.texts(&e.Scanners, r.mention)},
		key{"rules", r.texts(&e.Rules, nil)},
		key{"failing", r.failing(&e.Failing, string(Never))},
		key{"reason", r.text(&e.Reason)},
	)
	switch {
	case err != nil:
		return err
	case len(e.Match) == 0:
		return r.fail(n, "want match")
	case e.Failing == "":
		return r.fail(n, "want failing")
	case e.Failing == Never && e.Reason == "":
		return r.fail(n, "failing: never wants a reason")
	}
	r.policy.Paths = append(r.policy.Paths, e)
	return nil
}

func (r reader) limits(n *yaml.Node) error {
	l := &r.policy.Limits
	return r.mapping(n,
		key{"timeout", r.duration(&l.Timeout)},
		key{"memory", r.size(&l.Memory)},
		key{"stdout", r.size(&l.Stdout)},
		key{"files", r.count(&l.Files)},
		key{"fileBytes", r.size(&l.FileBytes)},
	)
}

// scanner and where are keys that suppressions and exemptions share.
func (r reader) scanner(name *string) key {
	return key{"scanner", func(n *yaml.Node) error {
		if err := r.text(name)(n); err != nil {
			return err
		}
		return r.mention(n, *name)
	}}
}

func (r reader) where(path *string) key {
	return key{"path", func(n *yaml.Node) error {
		if err := r.text(path)(n); err != nil {
			return err
		}
		return r.glob(n, *path)
	}}
}

type field struct{ key, value string }

// whole wants a value for each of the fields.
func (r reader) whole(n *yaml.Node, what string, fields []field) error {
	for _, f := range fields {
		if f.value == "" {
			return r.fail(n, "%s wants %s", what, f.key)
		}
	}
	return nil
}

func (r reader) exemption(n *yaml.Node) error {
	var e Exemption
	err := r.mapping(n, r.scanner(&e.Scanner), r.where(&e.Path), key{"reason", r.text(&e.Reason)}, key{"expires", r.date(&e.Expires)})
	if err != nil {
		return err
	}
	if err := r.whole(n, "an exemption", []field{{"scanner", e.Scanner}, {"path", e.Path}, {"reason", e.Reason}, {"expires", e.Expires}}); err != nil {
		return err
	}
	r.policy.Exemptions = append(r.policy.Exemptions, e)
	return nil
}

func (r reader) suppression(n *yaml.Node) error {
	var s Suppression
	err := r.mapping(n,
		r.scanner(&s.Scanner),
		key{"rule", r.text(&s.Rule)},
		r.where(&s.Path),
		key{"line", r.count(&s.Line)},
		key{"fingerprint", func(n *yaml.Node) error {
			if n.ShortTag() != "!!str" || !fingerprintForm.MatchString(n.Value) {
				return r.fail(n, "want 64 hexadecimal digits, got %s", kind(n))
			}
			s.Fingerprint = n.Value
			return nil
		}},
		key{"reason", r.text(&s.Reason)},
		key{"expires", r.date(&s.Expires)},
	)
	if err != nil {
		return err
	}
	err = r.whole(n, "a suppression", []field{{"scanner", s.Scanner}, {"rule", s.Rule}, {"path", s.Path}, {"reason", s.Reason}, {"expires", s.Expires}})
	if err != nil {
		return err
	}
	r.policy.Suppressions = append(r.policy.Suppressions, s)
	return nil
}

var (
	nameForm        = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)
	fingerprintForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	countForm       = regexp.MustCompile(`^[1-9][0-9]{0,8}$`)
	sizeForm        = regexp.MustCompile(`^([1-9][0-9]{0,5})(B|KiB|MiB|GiB|TiB)$`)
	durationForm    = regexp.MustCompile(`^([1-9][0-9]{0,5})(ms|s|m|h)$`)
	dateForm        = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
)

var units = map[string]int64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}

var times = map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour}

// mention notes where a scanner is named, for Check.
func (r reader) mention(n *yaml.Node, name string) error {
	if !nameForm.MatchString(name) {
		return r.fail(n, "%q is no scanner's name", name)
	}
	r.policy.mentions = append(r.policy.mentions, mention{name, r.place(n)})
	return nil
}

func (r reader) glob(n *yaml.Node, glob string) error {
	switch {
	case strings.HasPrefix(glob, "/"), strings.HasPrefix(glob, "./"):
		return r.fail(n, "%q can match nothing: paths begin below the workspace", glob)
	case !doublestar.ValidatePattern(glob):
		return r.fail(n, "%q is no glob", glob)
	}
	return nil
}

func (r reader) text(to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
			return r.fail(n, "want text, got %s", kind(n))
		}
		if strings.TrimSpace(n.Value) == "" {
			return r.fail(n, "want text, got none")
		}
		*to = n.Value
		return nil
	}
}

func (r reader) texts(to *[]string, check func(*yaml.Node, string) error) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
			return r.fail(n, "want a list with something in it")
		}
		return r.list(n, func(n *yaml.Node) error {
			var text string
			if err := r.text(&text)(n); err != nil {
				return err
			}
			*to = append(*to, text)
			if check == nil {
				return nil
			}
			return check(n, text)
		})
	}
}

func (r reader) oneOf(n *yaml.Node, words ...string) (string, error) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		for _, w := range words {
			if n.Value == w {
				return w, nil
			}
		}
	}
	return "", r.fail(n, "want %s, got %s%s", strings.Join(words, ", "), kind(n), suggest(n.Value, words))
}

func (r reader) failing(to *Failing, more ...string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		word, err := r.oneOf(n, append([]string{string(FromError), string(FromWarning), string(FromNote)}, more...)...)
		*to = Failing(word)
		return err
	}
}

func (r reader) boolean(to *bool) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
			return r.fail(n, "want true or false, got %s", kind(n))
		}
		*to = strings.EqualFold(n.Value, "true")
		return nil
	}
}

func (r reader) count(to *int) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || !countForm.MatchString(n.Value) {
			return r.fail(n, "want a whole number from 1 to 999999999, got %s", kind(n))
		}
		v, err := strconv.Atoi(n.Value)
		*to = v
		return err
	}
}

func (r reader) size(to *int64) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		m := sizeForm.FindStringSubmatch(n.Value)
		if n.Kind != yaml.ScalarNode || m == nil {
			return r.fail(n, "want a size such as 512MiB or 2GiB, got %s", kind(n))
		}
		v, err := strconv.ParseInt(m[1], 10, 64)
		*to = v * units[m[2]]
		return err
	}
}

func (r reader) duration(to *time.Duration) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		m := durationForm.FindStringSubmatch(n.Value)
		if n.Kind != yaml.ScalarNode || m == nil {
			return r.fail(n, "want a duration such as 90s or 10m, got %s", kind(n))
		}
		v, err := strconv.ParseInt(m[1], 10, 64)
		*to = time.Duration(v) * times[m[2]]
		return err
	}
}

func (r reader) date(to *string) func(*yaml.Node) error {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.ScalarNode || !dateForm.MatchString(n.Value) {
			return r.fail(n, "want a day such as 2027-01-31, got %s", kind(n))
		}
		if _, err := time.Parse(time.DateOnly, n.Value); err != nil {
			return r.fail(n, "no such day: %s", n.Value)
		}
		*to = n.Value
		return nil
	}
}
