// Package afterclose lets package broadcast/sse subscribe to a closed broadcast, to
// send the retained values to a client that reconnects, and compare the broadcasts of
// subscriptions.
package afterclose

// Option returns a broadcast.SubscribeOption. With it, Subscribe succeeds on a closed
// broadcast: the subscription reads the retained values, then ErrClosed. Subscribe
// stores in closed whether the broadcast was closed. Package broadcast sets Option when
// it is initialised.
var Option func(closed *bool) any

// Log returns the broadcast of a *broadcast.Subscription, for comparison, or nil if the
// subscription has ended. Package broadcast sets Log when it is initialised.
var Log func(sub any) any
