// Package after is the rate limiter on package ratelimit, or redislimit.
package after

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/tandemgo/tandem/ports/webrate"
	"github.com/tandemgo/tandem/ratelimit"
	"github.com/tandemgo/tandem/ratelimit/redislimit"
)

// A limiter limits by source. A ratelimit.Keyed is one, and a redislimit.Limiter is.
type limiter interface {
	ratelimit.Taker[string]
	Wait(ctx context.Context, source string) error
}

// New returns a middleware for any number of routers, which serves the requests that the
// limit grants.
func New(cfg webrate.Config) (func(next http.Handler) http.Handler, error) {
	if cfg.Period <= 0 {
		return nil, fmt.Errorf("webrate: period %v", cfg.Period)
	}
	rate := ratelimit.Unlimited
	if cfg.Average > 0 {
		rate = ratelimit.Per(int(cfg.Average), cfg.Period)
	}
	burst := int(max(cfg.Burst, 1))
	var l limiter = ratelimit.NewKeyed[string](rate, burst, ratelimit.WithMaxKeys(webrate.MaxSources))
	if cfg.Redis != nil {
		l = redislimit.New[string](cfg.Redis, rate, burst, redislimit.WithPrefix("rate:"+cfg.Name+":"),
			redislimit.WithFailurePolicy(redislimit.FailClosed), redislimit.WithTimeout(3*time.Second))
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(w, r, next, cfg, l) })
	}, nil
}

// serve serves a request, denies it, or lets it wait.
func serve(w http.ResponseWriter, r *http.Request, next http.Handler, cfg webrate.Config, l limiter) {
	source, err := cfg.Source(r)
	if err != nil {
		http.Error(w, "could not extract the source of the request", http.StatusInternalServerError)
		return
	}
	d, err := l.Take(r.Context(), source, 1)
	if err == nil && d.RetryAfter > 0 && d.RetryAfter <= cfg.MaxDelay() {
		ctx, cancel := context.WithDeadline(r.Context(), time.Now().Add(cfg.MaxDelay()))
		defer cancel()
		d.OK = l.Wait(ctx, source) == nil
		err = r.Context().Err()
	}
	switch {
	case err != nil:
		http.Error(w, "could not update the bucket", http.StatusInternalServerError)
	case d.OK:
		next.ServeHTTP(w, r)
	default:
		w.Header().Set("Retry-After", fmt.Sprintf("%.0f", math.Ceil(d.RetryAfter.Seconds())))
		w.Header().Set("X-Retry-In", d.RetryAfter.String())
		http.Error(w, http.StatusText(http.StatusTooManyRequests), http.StatusTooManyRequests)
	}
}
