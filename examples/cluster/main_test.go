package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// A worker is killed with kill -9 in the middle of its work, and the picture is the one
// that a single process would draw.
func TestNothingIsLostWhenAWorkerIsKilled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "picture.png")
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-kill", "-size", "128", "-tile", "16", "-rate", "100", "-o", file}, &out, io.Discard); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "kill -9 worker 1\n") || !strings.Contains(out.String(), "64 tiles are there") {
		t.Errorf("it says:\n%s", out.String())
	}
	checkPicture(t, file)
}

// checkPicture fails the test if a file is not the picture that one process would draw.
func checkPicture(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	want := image.NewGray(image.Rect(0, 0, 128, 128))
	for _, x := range tiles(128, 16) {
		x.paste(want, x.draw())
	}
	if !bytes.Equal(got.(*image.Gray).Pix, want.Pix) {
		t.Error("the picture is not what it should be")
	}
}

// A worker is killed, the NATS server is away for 2 s, and the picture is complete.
func TestNothingIsLostInAnOutage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "picture.png")
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-kill", "-outage", "2s", "-size", "128", "-tile", "16", "-rate", "100", "-o", file}, &out, io.Discard); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"kill -9 worker 1\n", "the NATS server is stopped", "the NATS server is back\n", "64 tiles are there"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
	checkPicture(t, file)
}

// The server may be stopped at any time: before the submitter connects, while workers
// start, while tiles are stored, while they are drawn.
func TestOutageAtAnyTime(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds each")
	}
	for _, ms := range []time.Duration{0, 20, 50, 100, 200, 400, 800} {
		after := ms * time.Millisecond
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			servers := new(config)
			stop, err := servers.serve()
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			over := make(chan error, 1)
			go func() {
				time.Sleep(after) // the time of the outage is under test
				over <- servers.own.outage(1500 * time.Millisecond)
			}()
			file := filepath.Join(t.TempDir(), "picture.png")
			var out bytes.Buffer
			if err := run(t.Context(), []string{"-nats", servers.nats, "-redis", servers.redis, "-size", "128", "-tile", "16", "-rate", "50", "-o", file},
				&out, io.Discard); err != nil {
				t.Errorf("%v\n%s", err, out.String())
			} else {
				checkPicture(t, file)
			}
			if err := <-over; err != nil {
				t.Error(err)
			}
		})
	}
}

// A submitter is killed with kill -9, with its servers or without them: its workers
// report that and end.
func TestSubmitterIsKilled(t *testing.T) {
	servers := new(config)
	stop, err := servers.serve()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for name, where := range map[string][]string{
		"with its servers": nil,
		"without":          {"-nats", servers.nats, "-redis", servers.redis},
	} {
		t.Run(name, func(t *testing.T) {
			said, theirs, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer said.Close()
			cmd := exec.Command(os.Args[0], append([]string{"-rate", "20"}, where...)...)
			cmd.Env = append(os.Environ(), childEnv+"=1")
			cmd.Stderr = theirs
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			theirs.Close()
			for line := bufio.NewScanner(out); line.Scan() && !strings.Contains(line.Text(), "has drawn"); {
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			_ = cmd.Wait()
			// The pipe ends with the last process.
			if err := said.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			all, err := io.ReadAll(said)
			if err != nil {
				t.Errorf("workers are left: %v", err)
			}
			for _, worker := range []string{"worker 1", "worker 2"} {
				if !strings.Contains(string(all), worker+": the submitter is gone") {
					t.Errorf("%s does not say why it ends", worker)
				}
			}
			t.Logf("they say:\n%s", all)
		})
	}
}

// A worker that is idle for too long reports that and ends, and so does one whose
// server does not come back or does not run.
func TestWorkerEnds(t *testing.T) {
	servers := new(config)
	stop, err := servers.serve()
	if err != nil {
		t.Fatal(err)
	}
	worker := func(args ...string) (said string, err error) {
		var out bytes.Buffer
		args = append(args, "-role", "worker", "-name", "W", "-nats", servers.nats, "-redis", servers.redis)
		err = run(t.Context(), args, io.Discard, &out)
		return out.String(), err
	}
	said, err := worker("-idle", "300ms")
	if err != nil || !strings.Contains(said, "W: nothing to do for 300ms: ends") {
		t.Errorf("idle: %v, it says:\n%s", err, said)
	}
	time.AfterFunc(500*time.Millisecond, stop)
	said, err = worker("-wait", "500ms")
	if err == nil || !strings.Contains(said, "W: the NATS server is away: waiting for it, for 500ms at most") {
		t.Errorf("away: %v, it says:\n%s", err, said)
	}
	said, err = worker("-wait", "500ms")
	if err == nil || !strings.Contains(said, "W: waiting for the NATS server, for 500ms at most") {
		t.Errorf("not there: %v, it says:\n%s", err, said)
	}
}

// A process is killed while words are counted, and the counts are those of one process
// without servers.
func TestWordsAreTheSameWhenAWorkerIsKilled(t *testing.T) {
	dir := t.TempDir()
	for i := range 60 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i, ".txt")), []byte(strings.Repeat(fmt.Sprintf("all b%c that is c%[1]c. ", 'a'+i%26), i+1)), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var counts [2]string
	for i, args := range []string{"-start 0", "-kill"} {
		file := filepath.Join(t.TempDir(), "counts")
		var out bytes.Buffer
		if err := run(t.Context(), append(strings.Fields(args), "-words", "-dir", dir, "-o", file), &out, io.Discard); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		counts[i] = string(data)
		if !strings.Contains(out.String(), "60 files have 9150 words, 55 different ones") || i == 1 && !strings.Contains(out.String(), "kill -9 worker 1\n") {
			t.Errorf("it says:\n%s", out.String())
		}
	}
	if counts[0] != counts[1] || counts[0] == "" {
		t.Errorf("the counts are different:\n%s", counts)
	}
}

func TestCommandLine(t *testing.T) {
	for args, want := range map[string]string{
		"-role king":                          `-role must be submitter or worker, got "king"`,
		"-role worker":                        "a worker needs -nats and -redis",
		"-size 100":                           "-size a multiple of -tile",
		"-kill -start 1":                      "-kill needs two workers",
		"extra":                               `there are only flags, got "extra"`,
		"-rate 0 -start 2 ":                   "-rate at least 1",
		"-outage -1s":                         "-outage must not be negative",
		"-words -outage 1s":                   "-words needs -files of at least 1, and no -outage",
		"-wait 0s":                            "-wait and -idle must be positive",
		"-outage 1s -nats nats://127.0.0.1:1": "-outage needs the NATS server inside this process",
	} {
		err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// Workers may be started by hand, anywhere, before or after the submitter.
func TestWorkersThatAreThereAlready(t *testing.T) {
	servers := new(config)
	stop, err := servers.serve()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	where := []string{"-nats", servers.nats, "-redis", servers.redis}
	ctx, cancel := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			if err := run(ctx, append([]string{"-role", "worker", "-rate", "1000"}, where...), io.Discard, io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	var out bytes.Buffer
	if err := run(t.Context(), append([]string{"-start", "0", "-size", "64", "-tile", "8"}, where...), &out, io.Discard); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "64 tiles are there") {
		t.Errorf("it says:\n%s", out.String())
	}
	cancel()
	workers.Wait()
}
