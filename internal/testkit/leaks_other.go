//go:build !js

package testkit

import "go.uber.org/goleak"

var ofTheRunTime []goleak.Option
