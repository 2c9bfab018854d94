package testkit

import "go.uber.org/goleak"

// The run time has a goroutine for the events of JavaScript.
var ofTheRunTime = []goleak.Option{goleak.IgnoreAnyFunction("runtime.handleEvent")}
