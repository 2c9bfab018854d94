// Package afterclose lets package broadcast/sse subscribe to a broadcast that is
// closed, to give a viewer that comes back what is still retained, and know which
// subscriptions read the same values.
package afterclose

// Option returns a broadcast.SubscribeOption. With it, Subscribe succeeds on a closed
// broadcast: the subscription reads what is retained, then ErrClosed. Subscribe stores
// in closed whether the broadcast was closed. Package broadcast sets Option when it is
// initialised.
var Option func(closed *bool) any

// Log returns the broadcast of a *broadcast.Subscription, for comparison, or nil if the
// subscription has ended. Package broadcast sets Log when it is initialised.
var Log func(sub any) any
