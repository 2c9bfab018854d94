package main

import (
	"testing"

	"github.com/tandemgo/tandem/benchmarks/internal/moving"
)

func TestPrints(t *testing.T) { moving.Prints(t, main) }
