package main

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// A worker is killed with kill -9 in the middle of its work, and the picture is
// what one process would have drawn.
func TestNothingIsLostWhenAWorkerIsKilled(t *testing.T) {
	file := filepath.Join(t.TempDir(), "picture.png")
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-kill", "-size", "128", "-tile", "16", "-rate", "100", "-o", file}, &out, io.Discard); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "kill -9 worker 1\n") || !strings.Contains(out.String(), "64 tiles are there") {
		t.Errorf("it says:\n%s", out.String())
	}
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

func TestCommandLine(t *testing.T) {
	for args, want := range map[string]string{
		"-role king":        `-role must be submitter or worker, got "king"`,
		"-role worker":      "a worker needs -nats and -redis",
		"-size 100":         "-size a multiple of -tile",
		"-kill -start 1":    "-kill needs two workers",
		"extra":             `there are only flags, got "extra"`,
		"-rate 0 -start 2 ": "-rate at least 1",
	} {
		err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// Workers may be started by hand, anywhere, before or after who submits.
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
