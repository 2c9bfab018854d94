package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

// childEnv is set for the worker processes that a submitter starts.
const childEnv = "CLUSTER_CHILD"

// A processes is the set of worker processes that a submitter has started.
type processes struct {
	names   []string
	running []*exec.Cmd
	inputs  []io.Closer // standard inputs, which end with this process
}

// startWorkers starts further processes of this program.
func (c config) startWorkers() (*processes, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := new(processes)
	for i := range c.start {
		name := fmt.Sprintf("worker %d", i+1)
		cmd := exec.Command(program, "-role", "worker", "-name", name,
			"-nats", c.nats, "-redis", c.redis, "-rate", strconv.Itoa(c.rate), "-start", strconv.Itoa(c.start),
			"-wait", c.maxWait.String(), "-idle", c.idleFor.String(), fmt.Sprintf("-words=%t", c.words))
		cmd.Env = append(os.Environ(), childEnv+"=1")
		cmd.Stderr = os.Stderr
		input, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			p.stop()
			return nil, err
		}
		p.names, p.running, p.inputs = append(p.names, name), append(p.running, cmd), append(p.inputs, input)
	}
	return p, nil
}

// killOne kills the first worker without a warning.
func (p *processes) killOne() (name string) {
	_ = p.running[0].Process.Kill()
	return p.names[0]
}

// stop interrupts all workers, which then finish their tasks, and waits for them.
func (p *processes) stop() {
	for i, cmd := range p.running {
		if cmd.Process.Signal(os.Interrupt) != nil { // not supported on every system
			p.inputs[i].Close()
		}
	}
	for _, cmd := range p.running {
		_ = cmd.Wait() // a killed process returns an error
	}
}
