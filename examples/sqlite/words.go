package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"unicode"
)

// A text is a source of words. It is read by its task.
type text struct {
	name string
	read func() ([]byte, error)
}

// texts returns the named files, or the lines of the built-in text if there are none.
func texts(files []string) (all []text) {
	for _, name := range files {
		all = append(all, text{name, func() ([]byte, error) { return os.ReadFile(name) }})
	}
	if len(files) > 0 {
		return all
	}
	for line := range bytes.Lines(ownText) {
		name := fmt.Sprintf("line %d", len(all)+1)
		all = append(all, text{name, func() ([]byte, error) { return line, nil }})
	}
	return all
}

// words returns the words of the text, in lower case.
func (t text) words() ([]string, error) {
	body, err := t.read()
	return strings.FieldsFunc(strings.ToLower(string(body)), func(r rune) bool { return !unicode.IsLetter(r) }), err
}
