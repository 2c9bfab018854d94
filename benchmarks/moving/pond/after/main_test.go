package main

import (
	"testing"

	"github.com/tandemgo/tandem/benchmarks/internal/moving"
	"github.com/tandemgo/tandem/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestPrints(t *testing.T) { moving.Prints(t, main) }
