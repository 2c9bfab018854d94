package natspool

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

const (
	// encodedID begins each message id in a header that is percent-encoded.
	encodedID = "%="
	// requeuedID begins the message ids that Requeue makes. The id of a task never
	// begins like that in a header.
	requeuedID = "%requeued-"
	// dueID begins the message ids of scheduled tasks.
	dueID = "%due-"
	// maxID is how many bytes a message id may have in a header, see maxFailure.
	maxID = 30 << 10
)

// encodeID returns a message id as the value of a header. Two ids never have the
// same value. The client trims the value of a header and replaces line breaks, so an
// id with white space at an end or with a control character is percent-encoded. So is
// an id that begins like an encoded one. All other ids stay as they are.
func encodeID(id string) (string, error) {
	value := id
	if !isPlain(id) {
		value = encodedID + url.PathEscape(id)
	}
	if len(value) > maxID {
		return "", fmt.Errorf("natspool: the message id must be at most %d bytes in a header, has %d", maxID, len(value))
	}
	return value, nil
}

func isPlain(id string) bool {
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	return id == strings.Trim(id, " ") && !strings.HasPrefix(id, "%") &&
		utf8.ValidString(id) && !strings.ContainsFunc(id, control)
}

// decodeID returns the message id that has the given value in a header.
func decodeID(value string) string {
	if code, ok := strings.CutPrefix(value, encodedID); ok {
		if id, err := url.PathUnescape(code); err == nil {
			return id
		}
	}
	return value
}
