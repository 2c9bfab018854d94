package broadcast

// Stats is a snapshot of a broadcast, taken at one instant.
type Stats struct {
	Sent          uint64 // values sent so far
	Lost          uint64 // values that ReportGap said are missing
	Retained      int    // of these, how many can be read still
	Subscriptions []SubscriptionStats
}

// SubscriptionStats is where one subscription is. Delivered + Missed + Backlog is
// what was sent or lost since it subscribed, and what it was replayed.
type SubscriptionStats struct {
	Name      string
	Delivered uint64
	Missed    uint64
	Backlog   uint64
}

// Stats returns a consistent snapshot, with the subscriptions that are open in
// the order in which they were made. It takes time in proportion to their
// number, during which senders wait.
func (b *Broadcast[T]) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	st := Stats{Sent: b.log.sent, Lost: b.log.holes.Load().all().lost, Retained: int(min(b.log.sent, b.log.capacity))}
	b.weedLocked()
	for _, p := range b.subs {
		s := p.Value()
		if s == nil {
			continue
		}
		s.mu.Lock()
		if s.err == nil {
			missed, backlog := s.behindLocked(b.log.sent)
			st.Subscriptions = append(st.Subscriptions, SubscriptionStats{s.name, s.delivered, missed, backlog})
		}
		s.mu.Unlock()
	}
	return st
}
