package images_test

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/scangate/scangate/images"
)

const (
	sumA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	sumB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

const whole = `schema: scangate.lock/v1
adapters: 0.1.0
images:
  bandit:
    source: recipe
    platforms:
      linux/amd64:
        manifest: ` + sumA + `
        config: ` + sumB + `
        size: 42
`

func TestDecodeLockRefuses(t *testing.T) {
	rows := []struct{ name, old, new, want string }{
		{"an unknown key, with its line", "size: 42", "sise: 42", "line 10: field sise not found"},
		{"a key given twice", "adapters: 0.1.0", "adapters: 0.1.0\nadapters: 0.2.0", "already defined at line 2"},
		{"another schema", "lock/v1", "lock/v2", `schema "scangate.lock/v2"`},
		{"no adapters' version", "adapters: 0.1.0", "adapters: ''", "adapters is empty"},
		{"an unknown source", "source: recipe", "source: hearsay", `source "hearsay"`},
		{"a platform without an architecture", "linux/amd64", "linux", `platform "linux"`},
		{"a name that climbs", "bandit:", "../bandit:", "image name"},
		{"a short manifest digest", sumA, sumA[:70], "is not a sha256 digest"},
		{"a config digest in upper case", sumB, strings.ToUpper(sumB), "is not a sha256 digest"},
		{"a size of nothing", "size: 42", "size: 0", "size 0"},
		{"a second document", "schema:", "---\nschema: scangate.lock/v1\nadapters: 0.1.0\n---\nschema:", "more than one document"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			_, err := images.DecodeLock([]byte(strings.Replace(whole, r.old, r.new, 1)))
			if err == nil || !strings.Contains(err.Error(), r.want) {
				t.Errorf("got %v, want an error with %q", err, r.want)
			}
		})
	}
}

func TestLockRoundTrip(t *testing.T) {
	l, err := images.DecodeLock([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	text, err := images.EncodeLock(l)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != whole {
		t.Errorf("encoded:\n%s\nwant:\n%s", text, whole)
	}
}

func TestPinRefusesOtherBytes(t *testing.T) {
	l, err := images.DecodeLock([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	pin, err := l.Pin("bandit", "linux/amd64")
	if err != nil {
		t.Fatal(err)
	}
	if err := pin.Check("bandit", images.Pin{Manifest: sumA, Config: sumB}); err != nil {
		t.Errorf("the locked digests: %v", err)
	}
	for name, got := range map[string]images.Pin{
		"manifest": {Manifest: sumB, Config: sumB},
		"config":   {Manifest: sumA, Config: sumA},
	} {
		err := pin.Check("bandit", got)
		var mismatch *images.MismatchError
		if !errors.As(err, &mismatch) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	want := "image bandit: digest mismatch: want " + sumA + ", got " + sumB
	if got := pin.Check("bandit", images.Pin{Manifest: sumB, Config: sumB}).Error(); got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	for _, q := range [][2]string{{"bandit", "linux/arm64"}, {"ruff", "linux/amd64"}} {
		if _, err := l.Pin(q[0], q[1]); !errors.Is(err, images.ErrNotPinned) {
			t.Errorf("pin of %v: %v", q, err)
		}
	}
}

func TestBuiltinLockIsCanonical(t *testing.T) {
	l, err := images.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	text, err := images.EncodeLock(l)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != string(committed(t)) {
		t.Error("scangate.lock is not what EncodeLock writes of it")
	}
}

// committed is the text of the lock that is built in.
func committed(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("scangate.lock")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func FuzzDecodeLock(f *testing.F) {
	f.Add([]byte(whole))
	f.Add(committed(f))
	f.Fuzz(func(t *testing.T, source []byte) {
		l, err := images.DecodeLock(source)
		if err != nil {
			return
		}
		text, err := images.EncodeLock(l)
		if err != nil {
			t.Fatalf("encode what was decoded: %v", err)
		}
		again, err := images.DecodeLock(text)
		if err != nil {
			t.Fatalf("decode what was encoded: %v", err)
		}
		if !reflect.DeepEqual(normal(l), normal(again)) {
			t.Fatalf("%+v became %+v", l, again)
		}
	})
}

// normal takes an absent map for an empty one, as YAML does.
func normal(l images.Lock) images.Lock {
	if len(l.Images) == 0 {
		l.Images = nil
	}
	return l
}
