package pool_test

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/tandemgo/tandem/pool"
)

// C4, FP19: a panic that no result can carry, in the error handler, ends the program
// and is not swallowed.
func TestC4PanicOfTheHandlerEndsTheProgram(t *testing.T) {
	const env = "TANDEM_POOL_CRASH"
	if os.Getenv(env) != "" {
		p := pool.New(1, func(context.Context, int) (int, error) { return 0, errTask },
			pool.WithErrorHandler(func(error) { panic("handler is broken") }))
		must0(p.Go(t.Context(), 1))
		p.Close()
		return
	}
	if runtime.GOOS == "js" {
		t.Skip("no program can be started here")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), env+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "panic: handler is broken") {
		t.Errorf("%v: %s", err, out)
	}
}
