'use strict';

// What this viewer has got. received + missed is what was sent since the first
// sample of the run.
const feed = { received: 0, missed: 0, resets: 0, first: null, last: null, run: null, goroutines: {} };

// A gap is where samples are missing: between two of them at the times from and to.
// lost is how many, if that is known, at least that many if more is set.
const gaps = [];
let gap = null; // the one that the next sample ends

const shown = 600; // samples, and values null where there is a gap
const charts = [
  { title: 'goroutines', get: s => s.goroutines },
  { title: 'heap, MB', get: s => s.heap / 1e6 },
  { title: 'allocated, MB/s', get: s => s.allocRate / 1e6 },
  { title: 'scheduling delay (99 %), ms', get: s => s.schedDelay * 1e3 },
].map(chart => {
  const card = document.createElement('div'), box = document.createElement('div'), title = document.createElement('h2');
  card.className = 'chart';
  title.textContent = chart.title;
  card.append(title, box);
  document.getElementById('charts').append(card);
  const plot = new uPlot({
    width: box.clientWidth, height: 180, legend: { show: false }, cursor: { show: false },
    series: [{}, { stroke: '#06c', width: 1.5, fill: '#06c2' }],
    hooks: { draw: [mark] },
  }, [[], []], box);
  new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: 180 })).observe(box);
  return { ...chart, data: [[], []], plot };
});

// words says what a gap is, in as few words as fit into a chart.
function words({ lost, more, restart }) {
  const parts = [];
  if (restart) parts.push('restart');
  if (more) parts.push(lost > 0 ? `≥ ${lost} lost` : 'some lost');
  else if (lost > 0) parts.push(`${lost} lost`);
  return parts.join(', ') || 'no samples';
}

// mark shows the gaps in a chart, each with its words, in a row where there is room.
function mark(plot) {
  const marks = plot.over.querySelector('.marks') ?? plot.over.appendChild(document.createElement('div'));
  marks.className = 'marks';
  const width = plot.over.clientWidth, rows = [0, 0, 0, 0, 0];
  marks.replaceChildren(...gaps.filter(h => h.to > plot.scales.x.min).flatMap(h => {
    const left = plot.valToPos(h.from, 'x'), right = plot.valToPos(h.to, 'x');
    const band = document.createElement('i'), label = document.createElement('b');
    band.style.left = `${left}px`;
    band.style.width = `${right - left}px`;
    label.textContent = words(h);
    const wide = 7 * label.textContent.length + 12; // about
    const at = Math.max(0, Math.min((left + right - wide) / 2, width - wide));
    const row = rows.findIndex(end => end <= at);
    if (row < 0) return [band]; // it is in the list
    rows[row] = at + wide + 2;
    label.style.left = `${at}px`;
    label.style.top = `${1.3 * row}rem`;
    return [band, label];
  }));
}

let drawing = false;
function draw() {
  if (drawing) return; // once a frame, however many samples come
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    for (const c of charts) c.plot.setData(c.data);
    for (const id of ['received', 'missed', 'resets']) document.getElementById(id).textContent = feed[id];
    document.getElementById('missed').classList.toggle('some', feed.missed > 0);
    list();
  });
}

// list lists the last gaps, the newest first.
function list() {
  const section = document.getElementById('gaps'), last = gaps.slice(-5).reverse();
  section.hidden = last.length === 0;
  section.querySelector('ol').replaceChildren(...last.map(h => {
    const item = document.createElement('li'), time = document.createElement('time');
    time.textContent = new Date(h.to * 1000).toLocaleTimeString();
    item.append(time, `${words(h)} (${(h.to - h.from).toFixed(1)} s)`);
    return item;
  }));
}

// push adds a point to all charts. Points on both sides of null are not joined.
function push(time, values) {
  charts.forEach((c, i) => {
    c.data[0].push(time);
    c.data[1].push(values ? values[i] : null);
    if (c.data[0].length > shown) for (const column of c.data) column.shift();
  });
}

let usual = null; // s between two samples

// add adds a sample, behind a gap if something is missing before it, or nothing came
// for much longer than usual.
function add(time, values) {
  const last = charts[0].data[0].at(-1), since = time - last;
  if (since > Math.max(1, 5 * usual)) gap ??= { lost: 0 };
  if (last === undefined) {
    gap = null; // what was before is not shown
  } else if (gap) {
    push(last + since / 2, null);
    gaps.push({ ...gap, from: last, to: time });
    if (gaps.length > 100) gaps.shift();
    gap = null;
  } else {
    usual = usual === null ? since : .9 * usual + .1 * since;
  }
  push(time, values);
}

function status(text) {
  const element = document.getElementById('status');
  if (element.textContent !== text) element.textContent = text; // it is read out when it changes
  element.classList.toggle('live', text === 'live');
}

function begin(run) {
  Object.assign(feed, { received: 0, missed: 0, first: null, last: null, run, goroutines: {} });
}

// note returns the number that an id ends with.
function note(id) {
  const dash = id.lastIndexOf('-');
  const run = id.slice(0, dash), number = Number(id.slice(dash + 1));
  if (run !== feed.run) begin(run);
  feed.last = number;
  return number;
}

function connect() {
  const source = new EventSource('events');
  source.onopen = () => status('live');
  source.onmessage = e => {
    const s = JSON.parse(e.data), number = note(e.lastEventId);
    feed.first ??= number;
    feed.received++;
    feed.goroutines[number] = s.goroutines;
    add(s.time / 1000, charts.map(c => c.get(s)));
    status('live');
    draw();
  };
  source.addEventListener('gap', e => {
    const { missed, atLeast } = JSON.parse(e.data), number = note(e.lastEventId);
    feed.first ??= number - missed + 1;
    feed.missed += missed;
    gap = { ...gap, lost: (gap?.lost ?? 0) + missed, more: Boolean(gap?.more || atLeast) };
    draw();
  });
  // It is said until the next sample comes. The charts show it from then on.
  source.addEventListener('reset', () => {
    feed.resets++;
    gap = { lost: 0, ...gap, restart: true };
    status('the server has restarted');
    draw();
  });
  source.addEventListener('end', () => status('the server is going down'));
  source.onerror = () => {
    status('no connection, trying again …');
    // A browser gives up where the answer is not a stream. This page does not.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 1000);
  };
}
connect();

document.getElementById('seen').href = 'debug/tandem'; // of this server, no file

// A slow viewer, while there is one: the server takes its time for what it writes to it.
const slow = { source: null, received: 0, missed: 0 };
document.getElementById('slow').onclick = e => {
  if (slow.source) slow.source.close();
  Object.assign(slow, { source: slow.source ? null : new EventSource('slow'), received: 0, missed: 0 });
  e.target.textContent = slow.source ? 'Remove the slow viewer' : 'Add a slow viewer';
  const lines = document.getElementById('slow-gaps'), figures = document.getElementById('slow-figures');
  const say = () => { figures.textContent = slow.source ? `received ${slow.received}, missed ${slow.missed}` : ''; };
  lines.replaceChildren();
  say();
  if (!slow.source) return;
  slow.source.onmessage = () => { slow.received++; say(); };
  slow.source.addEventListener('end', () => slow.source.close());
  slow.source.addEventListener('gap', e => {
    const { missed } = JSON.parse(e.data), item = document.createElement('li'), time = document.createElement('time');
    slow.missed += missed;
    time.textContent = new Date().toLocaleTimeString();
    item.append(time, `a gap: ${missed} samples missed`);
    lines.prepend(item);
    if (lines.children.length > 5) lines.lastChild.remove();
    say();
  });
};

setInterval(async () => {
  try {
    const { Subscriptions } = await (await fetch('viewers.json')).json();
    document.getElementById('viewers').replaceChildren(...(Subscriptions ?? []).map(s => {
      const row = document.createElement('tr');
      for (const text of [s.Name, s.Delivered, s.Missed, s.Backlog]) row.insertCell().textContent = text;
      return row;
    }));
  } catch { /* the status says that there is no connection */ }
}, 1000);
