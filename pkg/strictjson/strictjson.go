// Package strictjson decodes JSON that somebody may have bent. encoding/json lets a second "results" key, or "RESULTS",
// replace the first, takes null for an empty report, and matches names without regard to case; here each of these is an
// error.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

// The limits of a document.
const (
	MaxBytes = 256 << 20
	MaxDepth = 100
)

var bom = []byte("\xef\xbb\xbf")

// Decode reads exactly one JSON document from data into v, a pointer. A byte order mark before it is accepted. It is an
// error if the document is null or not UTF-8, is larger than MaxBytes or deeper than MaxDepth, has other text after it,
// holds the same name twice in one object, a name that differs from one of v's fields only by case, or null where a list
// or map of v has objects.
//
// Fields of v are matched by their json tag. A field tagged `strict:"required"` must be there and not null. Embedded
// structs are not looked into.
func Decode(data []byte, v any) error {
	if len(data) > MaxBytes {
		return fmt.Errorf("parse json: more than %d bytes", MaxBytes)
	}
	data = bytes.TrimPrefix(data, bom)
	if !utf8.Valid(data) {
		return errors.New("parse json: not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	null, err := walk(d, reflect.TypeOf(v), 0)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("parse json at byte %d: %w", d.InputOffset(), err)
	}
	if null {
		return errors.New("parse json: the document is null")
	}
	// Unmarshal checks the whole syntax again and refuses text after the document.
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("parse json: %w", err)
	}
	return nil
}

// walk reads the next value, which will be decoded into a t (nil: into nothing we know), and tells whether it is null.
func walk(d *json.Decoder, t reflect.Type, depth int) (null bool, err error) {
	tok, err := d.Token()
	if err != nil {
		return false, err
	}
	delim, compound := tok.(json.Delim)
	if !compound {
		return tok == nil, nil
	}
	if depth++; depth > MaxDepth {
		return false, fmt.Errorf("deeper than %d", MaxDepth)
	}
	t = plain(t)
	if delim == '{' {
		return false, object(d, t, depth)
	}
	var elem reflect.Type
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		elem = t.Elem()
	}
	for d.More() {
		null, err := walk(d, elem, depth)
		if err != nil {
			return false, err
		}
		if null && isStruct(elem) {
			return false, errors.New("null in a list of objects")
		}
	}
	_, err = d.Token()
	return false, err
}

func object(d *json.Decoder, t reflect.Type, depth int) error {
	fields := fieldsOf(t)
	seen := map[string]bool{} // name -> has a value
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := tok.(string)
		if !ok {
			return fmt.Errorf("a name is due, not %v", tok)
		}
		if _, twice := seen[name]; twice {
			return fmt.Errorf("name %q twice in one object", name)
		}
		elem, err := member(t, fields, name)
		if err != nil {
			return err
		}
		null, err := walk(d, elem, depth)
		if err != nil {
			return err
		}
		if null && isStruct(elem) && t.Kind() == reflect.Map {
			return fmt.Errorf("%q is null in a map of objects", name)
		}
		seen[name] = !null
	}
	if _, err := d.Token(); err != nil {
		return err
	}
	for _, f := range fields {
		if f.required && !seen[f.name] {
			return fmt.Errorf("%q is missing or null", f.name)
		}
	}
	return nil
}

// member is the type that name's value will be decoded into.
func member(t reflect.Type, fields []field, name string) (reflect.Type, error) {
	if t != nil && t.Kind() == reflect.Map {
		return t.Elem(), nil
	}
	var elem reflect.Type
	for _, f := range fields {
		if f.name == name {
			elem = f.of
		} else if strings.EqualFold(f.name, name) {
			return nil, fmt.Errorf("name %q is %q in other case", name, f.name)
		}
	}
	return elem, nil
}

type field struct {
	name     string
	of       reflect.Type
	required bool
}

func fieldsOf(t reflect.Type) []field {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var fs []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fs = append(fs, field{name: name, of: f.Type, required: f.Tag.Get("strict") == "required"})
	}
	return fs
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func isStruct(t reflect.Type) bool {
	t = plain(t)
	return t != nil && t.Kind() == reflect.Struct
}

// plain is t without its pointers, or nil for a type that decodes itself.
func plain(t reflect.Type) reflect.Type {
	for t != nil {
		if t.Implements(unmarshaler) || reflect.PointerTo(t).Implements(unmarshaler) {
			return nil
		}
		if t.Kind() != reflect.Pointer {
			return t
		}
		t = t.Elem()
	}
	return nil
}
