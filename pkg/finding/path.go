package finding

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// EncodePath writes the raw bytes of a path as text: '%', control characters and what is not UTF-8 become %XX.
func EncodePath(p string) string {
	var b strings.Builder
	for len(p) > 0 {
		r, n := utf8.DecodeRuneInString(p)
		if r == '%' || r < 0x20 || r >= 0x7f && r < 0xa0 || r == utf8.RuneError && n == 1 {
			for i := range n {
				fmt.Fprintf(&b, "%%%02X", p[i])
			}
		} else {
			b.WriteString(p[:n])
		}
		p = p[n:]
	}
	return b.String()
}

// DecodePath is the inverse of EncodePath. It takes only what EncodePath writes, so that a path has one spelling.
func DecodePath(s string) (string, error) {
	raw := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			raw = append(raw, s[i])
			continue
		}
		b, err := hex.DecodeString(s[i+1 : min(i+3, len(s))])
		if err != nil || len(b) != 1 {
			return "", fmt.Errorf("decode path %q: %% is not followed by two hexadecimal digits", s)
		}
		raw = append(raw, b[0])
		i += 2
	}
	if EncodePath(string(raw)) != s {
		return "", fmt.Errorf("decode path %q: write it as %q", s, EncodePath(string(raw)))
	}
	return string(raw), nil
}
