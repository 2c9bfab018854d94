package natspool

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The server schedules: a schedule is a message in the stream "plan", and when it is
// due, the server stores its task in the same stream under another subject. Such a
// stream discards old messages when it is full, so tasks that are due do not stay
// there: the server pushes each to one process with workers, which stores it in the
// stream of tasks and then acknowledges it. The task has a message id, so it is stored
// once even if a process crashes in between.

// A When says when the task of a schedule runs. Make one with At, Every or Cron.
type When struct{ spec, zone string }

// At returns the time t, once. A time that has passed means at once.
func At(t time.Time) When { return When{spec: "@at " + t.UTC().Format(time.RFC3339Nano)} }

// Every returns the times in intervals of d, first d after the call of Schedule. Every
// panics if d is less than 1 s.
func Every(d time.Duration) When {
	require(d >= time.Second, "Every: interval must be at least 1s, got %v", d)
	return When{spec: "@every " + d.String()}
}

// Cron returns the times of a cron expression, for example "30 4 * * 1-5" for 4:30 on
// workdays, in a time zone of the IANA database, or in UTC for nil. The fields are
// minute, hour, day of the month, month, and day of the week; with six fields the first
// is the second. @hourly, @daily, @weekly, @monthly and @yearly are expressions as well.
// The server checks the expression, so [Pool.Schedule] returns an error for a wrong one.
// Cron panics if zone is time.Local, which differs between machines.
func Cron(expr string, zone *time.Location) When {
	require(zone != time.Local, "Cron: zone must be the same on all machines, got time.Local")
	fields := strings.Fields(expr)
	if len(fields) == 5 {
		fields = append([]string{"0"}, fields...)
	}
	w := When{spec: strings.Join(fields, " ")}
	if zone != nil {
		w.zone = zone.String()
	}
	return w
}

// String returns "@at" and the time, "@every" and the interval, or a cron expression of
// six fields and its time zone.
func (w When) String() string { return strings.TrimSpace(w.spec + " " + w.zone) }

// A ScheduledTask is a task that the server submits later.
type ScheduledTask[T any] struct {
	Name string    // of the schedule
	When When      // it runs
	Task T         // zero if Undecodable is not nil
	Data []byte    // the task as it is submitted
	Time time.Time // when it was scheduled

	Undecodable error // why Data cannot be decoded, in this process
}

// Schedule submits a task later, once or again and again. The schedule is stored in the
// server, which needs no process for it. When a task is due, it is submitted as by Go,
// independently of earlier ones, as soon as a process with workers is connected; of
// several times that a server has missed, it makes up for one. A task begins at most
// about a second late if a worker is free. It has no message id of [WithMessageID].
//
// A schedule replaces the one with the same name. If both are equal, the old one stays
// as it is, so each process may call Schedule when it starts.
//
// Schedule returns nil once the schedule is stored. It returns ErrClosed, the cause of a
// ctx that has ended before, an error that wraps ErrUnacknowledged if ctx ends before
// the server has answered, or another error if the schedule is not stored, for example
// because the expression of [Cron] is wrong or the server is older than 2.14. It panics
// if ctx is nil, name is empty or longer than 128 bytes, or when was not made by At,
// Every or Cron.
func (p *Pool[T, R]) Schedule(ctx context.Context, name string, when When, task T) error {
	c := p.in(ctx, "Schedule")
	require(when.spec != "", "Schedule: time must be made by At, Every or Cron")
	subject := c.planSubject("Schedule", name)
	data, err := p.tasks.Encode(task)
	if err != nil {
		return fmt.Errorf("natspool: the task cannot be encoded: %w", err)
	}
	return c.schedule(ctx, subject, when, data)
}

// Unschedule deletes the schedule with the given name, if it exists. A task that was due
// before still runs. Unschedule panics if ctx is nil or name is not valid.
func (p *Pool[T, R]) Unschedule(ctx context.Context, name string) error {
	c := p.in(ctx, "Unschedule")
	subject := c.planSubject("Unschedule", name)
	s, err := c.js.Stream(ctx, c.plan)
	if err == nil {
		err = s.Purge(ctx, jetstream.WithPurgeSubject(subject))
	}
	return failed(ctx, fmt.Sprintf("schedule %q is not deleted", name), ignore(err, jetstream.ErrStreamNotFound))
}

// Schedules returns an iterator over the schedules that exist when the iteration begins,
// in the order in which they were stored. A non-nil error ends the iteration: the cause
// of ctx, or a failed request to the server. Schedules may be changed in the loop. A
// schedule of [At] is deleted when its task is due.
func (p *Pool[T, R]) Schedules(ctx context.Context) iter.Seq2[ScheduledTask[T], error] {
	c := p.in(ctx, "Schedules")
	return stored(ctx, c, "schedules", c.plan, c.planSubj+".*", func(m *jetstream.RawStreamMsg) (s ScheduledTask[T]) {
		name, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(m.Subject, c.planSubj+"."))
		s = ScheduledTask[T]{Name: string(name), When: whenOf(m.Header), Data: m.Data, Time: m.Time}
		s.Task, s.Undecodable = decode(p.tasks, m.Data)
		return s
	})
}

func whenOf(h nats.Header) When {
	return When{h.Get(jetstream.ScheduleHeader), h.Get(jetstream.ScheduleTimeZoneHeader)}
}

// planSubject returns the subject of the schedule with the given name.
func (c *core) planSubject(call, name string) string {
	require(name != "" && len(name) <= 2*maxName, "%s: name must have 1 to %d bytes, got %q", call, 2*maxName, name)
	return c.planSubj + "." + base64.RawURLEncoding.EncodeToString([]byte(name))
}

func (c *core) schedule(ctx context.Context, subject string, when When, data []byte) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := c.fits("task", data, 0); err != nil {
		return err
	}
	if err := c.enter(); err != nil {
		return err
	}
	defer c.exit()
	s, err := c.makePlan(ctx)
	if err != nil {
		return failed(ctx, "the task is not scheduled", err)
	}
	m, err := s.GetLastMsgForSubject(ctx, subject)
	if err == nil && whenOf(m.Header) == when && bytes.Equal(m.Data, data) {
		return nil
	}
	plan := &nats.Msg{Subject: subject, Data: data, Header: nats.Header{
		jetstream.ScheduleHeader: {when.spec}, jetstream.ScheduleTargetHeader: {c.dueSubj},
	}}
	if when.zone != "" {
		plan.Header.Set(jetstream.ScheduleTimeZoneHeader, when.zone)
	}
	_, _, err = c.send(ctx, plan, true) // stored twice, it is stored once
	return err
}

// makePlan returns the stream of schedules. The first schedule of a process creates the
// stream and its consumer if they are missing.
func (c *core) makePlan(ctx context.Context) (jetstream.Stream, error) {
	s, err := c.makeStream(ctx, c.js, jetstream.StreamConfig{
		Name: c.plan, Subjects: []string{c.planSubj + ".*", c.dueSubj}, Retention: jetstream.WorkQueuePolicy,
		AllowMsgSchedules: true, AllowRollup: true, Replicas: c.replicas,
	})
	if err != nil {
		return nil, err
	}
	if !s.CachedInfo().Config.AllowMsgSchedules {
		return nil, fmt.Errorf("natspool: stream %q must allow schedules, as servers from 2.14 on do", c.plan)
	}
	_, err = c.js.CreateOrUpdatePushConsumer(ctx, c.plan, jetstream.ConsumerConfig{
		Durable: c.consumer, FilterSubject: c.dueSubj, DeliverSubject: c.dueTo, DeliverGroup: c.consumer,
		AckPolicy: jetstream.AckExplicitPolicy, MaxDeliver: -1,
	})
	return s, err
}

// move is called with each task that is due. It stores the task in the stream of tasks. A
// task that is not stored is delivered again after a second.
func (c *core) move(m *nats.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		c.tell(fmt.Errorf("natspool: a message that is no delivery: %w", err))
		return
	}
	id := fmt.Sprintf("%s%d-%d", dueID, meta.Sequence.Stream, meta.Timestamp.UnixNano())
	c.spawn(func() {
		ctx, cancel := context.WithTimeout(c.patient, maxCall)
		defer cancel()
		task := &nats.Msg{Subject: c.subject, Data: m.Data, Header: nats.Header{jetstream.MsgIDHeader: {id}}}
		_, err := c.js.PublishMsg(ctx, task)
		if err == nil {
			c.tell(c.nc.Publish(m.Reply, []byte("+ACK")))
			return
		}
		if c.patient.Err() == nil {
			c.tell(fmt.Errorf("natspool: a scheduled task is due and not stored: %w", err))
		}
		c.nak(m.Reply, maxTick)
	})
}

// ignore returns err, or nil if err is the given error.
func ignore(err, these error) error {
	if errors.Is(err, these) {
		return nil
	}
	return err
}
