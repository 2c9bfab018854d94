package promtandem_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tandemgo/tandem/broadcast"
	"github.com/tandemgo/tandem/pipeline"
	"github.com/tandemgo/tandem/pool"
	"github.com/tandemgo/tandem/promtandem"
)

// A real Prometheus scrapes a program in which a queue is full, a stage is slow and a
// subscriber stalls, and answers the questions of the documentation.
func TestPrometheusAnswers(t *testing.T) {
	if testing.Short() {
		t.Skip("no server in short mode")
	}
	path, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("no Prometheus on this machine: apt-get install prometheus")
	}
	reg := prometheus.NewRegistry()
	program(t, promtandem.WithRegisterer(reg))
	metrics := httptest.NewServer(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	defer metrics.Close()

	for name, native := range map[string]bool{"classic": false, "native": true} {
		t.Run(name, func(t *testing.T) {
			var args []string
			if native {
				args = append(args, "--enable-feature=native-histograms")
			}
			ask := startPrometheus(t, path, strings.TrimPrefix(metrics.URL, "http://"), args...)
			full := ask(t, `tandem_pool_tasks{state="queued"} / on (pool) group_left tandem_pool_queue_capacity`, func(v map[string]float64) bool { return v["jobs"] >= 1 })
			if v := full["jobs"]; v != 1 {
				t.Errorf("the queue is filled to %v, want 1", v)
			}
			how := `histogram_quantile(0.99, sum by (pool, le) (rate(tandem_pool_run_seconds_bucket[5m])))`
			low, high := 0.0164, 0.0672 // a task takes 30 ms or a little more; the classic bucket ends at 67 ms
			if native {
				how = `histogram_quantile(0.99, sum by (pool) (rate(tandem_pool_run_seconds[5m])))`
				low = 0.025
			}
			if p99 := ask(t, how, func(v map[string]float64) bool { return v["jobs"] > 0 })["jobs"]; p99 < low || p99 > high && !native {
				t.Errorf("99 %% of the tasks take %v s", p99)
			}
			slow := ask(t, `topk by (pipeline) (1, rate(tandem_pipeline_time_seconds_total{state="busy"}[5m])
  / on (pipeline, stage) group_left tandem_pipeline_workers)`, func(v map[string]float64) bool { return v["slow"] > .7 })
			if len(slow) != 1 {
				t.Errorf("the bottleneck is %v", slow)
			}
			behind := ask(t, `tandem_broadcast_backlog_max / tandem_broadcast_capacity`, func(v map[string]float64) bool { return v["news"] == 1 })
			if v := behind["news"]; v != 1 {
				t.Errorf("the slowest subscriber is behind by %v of the capacity", v)
			}
		})
	}
}

// program runs until the test ends.
func program(t *testing.T, here promtandem.Option) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait() })
	pause := func(ctx context.Context, d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	jobs := pool.New(2, func(ctx context.Context, _ int) (struct{}, error) {
		pause(ctx, 30*time.Millisecond)
		return struct{}{}, nil
	}, pool.WithQueue(8))
	for range 4 {
		wg.Go(func() {
			for jobs.Go(ctx, 0) == nil {
			}
		})
	}
	wg.Go(func() {
		<-ctx.Done()
		if _, err := jobs.Stop(context.Background()); err != nil {
			t.Log(err)
		}
	})
	record(t, "jobs", jobs, here)

	stage := func(name string, d time.Duration) pipeline.Stage[int, int] {
		return pipeline.Map(func(ctx context.Context, n int) (int, error) { pause(ctx, d); return n, nil }, pipeline.WithName(name))
	}
	var o pipeline.Observer
	chain := pipeline.Then(pipeline.Then(stage("quick", 0), stage("slow", 5*time.Millisecond)), stage("last", time.Millisecond)).Observe(&o)
	wg.Go(func() {
		_ = chain.ForEach(ctx, pipeline.Seq(func(yield func(int) bool) {
			for n := 0; yield(n); n++ {
			}
		}), func(context.Context, int) error { return nil }) // ctx ends it
	})
	record(t, "chain", &o, here)

	news := broadcast.New[int](broadcast.WithCapacity(16))
	stalled, err := news.Subscribe(broadcast.WithName("stalled"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stalled.Close() })
	wg.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			_ = news.Send(ctx, n)
			pause(ctx, time.Millisecond)
		}
	})
	record(t, "news", news, here, promtandem.PerSubscription())
}

// startPrometheus returns a function that asks until the answer is good, and returns the value
// for each pool, stage or broadcast.
func startPrometheus(t *testing.T, path, target string, args ...string) func(t *testing.T, query string, good func(map[string]float64) bool) map[string]float64 {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := "scrape_configs:\n- job_name: tandem\n  scrape_interval: 200ms\n  scrape_timeout: 200ms\n  static_configs:\n  - targets: ['" + target + "']\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	var out strings.Builder
	cmd := exec.Command(path, append(args, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+addr)...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Skipf("Prometheus does not start: %v", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("%v: %s", err, out.String())
		}
	})
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T, query string, good func(map[string]float64) bool) map[string]float64 {
		t.Helper()
		if !strings.Contains(string(doc), strings.ReplaceAll(query, "\n", "\n//\t")) {
			t.Errorf("the documentation does not ask %s", query)
		}
		query = strings.ReplaceAll(query, "[5m]", "[3s]") // there is no more than that
		var last error
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			values, err := answer(client, addr, query)
			if err == nil && good(values) {
				return values
			}
			if last = err; err == nil {
				last = fmt.Errorf("the answer is %v", values)
			}
		}
		t.Fatalf("%s: %v", query, last)
		return nil
	}
}

func answer(client *http.Client, addr, query string) (map[string]float64, error) {
	res, err := client.Get("http://" + addr + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	var got struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		return nil, err
	}
	if got.Status != "success" {
		return nil, errors.New(got.Error)
	}
	values := map[string]float64{}
	for _, r := range got.Data.Result {
		name := r.Metric["pool"] + r.Metric["stage"] + r.Metric["broadcast"]
		if values[name], err = strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64); err != nil {
			return nil, err
		}
	}
	return values, nil
}
