package redislimit

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
)

// keyFunc returns the name of a key: text that no two keys of the type have in common,
// unless they marshal as the same text.
func keyFunc[K comparable](call string) func(K) string {
	t := reflect.TypeFor[K]()
	if t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) && t.Kind() != reflect.Pointer && t.Kind() != reflect.Interface {
		return marshaled[K]
	}
	switch t.Kind() {
	case reflect.String:
		return func(k K) string {
			if s, ok := any(k).(string); ok {
				return s
			}
			return reflect.ValueOf(k).String()
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(k K) string { return strconv.FormatInt(reflect.ValueOf(k).Int(), 10) }
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return func(k K) string { return strconv.FormatUint(reflect.ValueOf(k).Uint(), 10) }
	case reflect.Bool:
		return func(k K) string { return strconv.FormatBool(reflect.ValueOf(k).Bool()) }
	}
	// Package fmt prints {"a b", "c"} and {"a", "b c"} as the same text, and a pointer as
	// another text in each process.
	panic(fmt.Sprintf("redislimit: %s: keys must be strings, integers, booleans or values of a type that implements encoding.TextMarshaler, got %v", call, t))
}

func marshaled[K comparable](k K) string {
	text, err := any(k).(encoding.TextMarshaler).MarshalText()
	if err != nil {
		panic(fmt.Sprintf("redislimit: a key must marshal as text, %v does not: %v", k, err))
	}
	return string(text)
}
