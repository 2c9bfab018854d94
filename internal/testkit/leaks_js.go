package testkit

import "go.uber.org/goleak"

// The runtime has a goroutine for the events of JavaScript.
var ofTheRunTime = []goleak.Option{goleak.IgnoreAnyFunction("runtime.handleEvent")}
