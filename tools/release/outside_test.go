package release

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// The adapters whose first example needs nothing but a NATS server.
// The line that the example prints identifies it.
var outside = map[string]string{"pool/natspool": "HELLO", "broadcast/natscast": "import 17", "pipeline/natspipe": "billed Ann"}

// The root may change inside without breaking an adapter that was released before.
func TestAdaptersImportNoInternals(t *testing.T) {
	for _, adapter := range tagged(t) {
		if adapter == "." {
			continue
		}
		imports := command(t, filepath.Join(top, adapter), "go", "list", "-f", "{{join .Imports \"\\n\"}}", "./...")
		for of := range strings.FieldsSeq(imports) {
			if strings.HasPrefix(of, rootPath+"/internal/") {
				t.Errorf("%s imports %s", adapter, of)
			}
		}
	}
}

// The first example of an adapter runs in a module outside of the workspace, with a server
// in the same program. A replacement in an adapter's go.mod does not apply there.
func TestFirstExampleOutside(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a server")
	}
	root, err := filepath.Abs(top)
	if err != nil {
		t.Fatal(err)
	}
	// The servers' modules are those of the integration tests.
	requires := strings.Fields(command(t, filepath.Join(top, "integration"), "go", "list", "-m", "-f", "-require={{.Path}}@{{.Version}}",
		"github.com/nats-io/nats-server/v2", "github.com/nats-io/nats.go"))
	for adapter, prints := range outside {
		t.Run(path.Base(adapter), func(t *testing.T) {
			dir := t.TempDir()
			_, example := read(t, adapter, "example_test.go")
			write(t, dir, "example_test.go", strings.ReplaceAll(string(example), "nats.DefaultURL", "serverURL"))
			write(t, dir, "server_test.go", fmt.Sprintf(withServer, path.Base(adapter)))
			command(t, dir, "go", "mod", "init", "example.com/outside")
			command(t, dir, "go", append([]string{"mod", "edit", "-replace=" + rootPath + "=" + root,
				"-replace=" + path.Join(rootPath, adapter) + "=" + filepath.Join(root, adapter)}, requires...)...)
			command(t, dir, "go", "mod", "tidy")
			out := command(t, dir, "go", "test", "-v", "-run", "^TestExample$", ".")
			if !strings.Contains(out, "\n"+prints+"\n") {
				t.Errorf("it must print %q, and prints\n%s", prints, out)
			}
		})
	}
}

// withServer is a file of the package that the example is in.
const withServer = `package %s_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

var serverURL string

func TestExample(t *testing.T) {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server does not start")
	}
	serverURL = s.ClientURL()
	Example()
}
`

// command runs a command outside of the workspace and returns its output.
func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		text := string(out)
		if exit, ok := err.(*exec.ExitError); ok {
			text += string(exit.Stderr)
		}
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, text)
	}
	return string(out)
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
