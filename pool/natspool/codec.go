package natspool

import (
	"encoding/json"

	"github.com/tandemgo/tandem/pool"
)

// A Codec turns values into the payload of a message and back. It must be safe
// for concurrent use.
type Codec[T any] interface {
	// Encode returns v as bytes.
	Encode(v T) ([]byte, error)
	// Decode returns the value that data encodes. It must not keep data.
	Decode(data []byte) (T, error)
}

// jsonCodec is the default.
type jsonCodec[T any] struct{}

func (jsonCodec[T]) Encode(v T) ([]byte, error) { return json.Marshal(v) }

func (jsonCodec[T]) Decode(data []byte) (v T, err error) {
	err = json.Unmarshal(data, &v)
	return v, err
}

// decode returns the value that data encodes, or why there is none, such as a panic of the codec.
func decode[T any](c Codec[T], data []byte) (v T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = pool.Recovered(r)
		}
	}()
	return c.Decode(data)
}
