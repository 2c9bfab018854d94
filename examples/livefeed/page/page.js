'use strict';

// What this viewer has got. received + missed is what was sent since the first
// sample of the run.
const feed = { received: 0, missed: 0, resets: 0, first: null, last: null, run: null, goroutines: {} };

const shown = 600; // samples
const charts = [
  { title: 'goroutines', get: s => s.goroutines },
  { title: 'heap, MB', get: s => s.heap / 1e6 },
  { title: 'allocated, MB/s', get: s => s.allocRate / 1e6 },
  { title: 'scheduling delay (99 %), ms', get: s => s.schedDelay * 1e3 },
].map(chart => ({
  ...chart,
  data: [[], []],
  plot: new uPlot({
    title: chart.title, width: 448, height: 180, legend: { show: false }, cursor: { show: false },
    series: [{}, { stroke: '#06c', width: 1.5, fill: '#06c2' }],
  }, [[], []], document.getElementById('charts')),
}));

let drawing = false;
function draw() {
  if (drawing) return; // once a frame, however many samples come
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    for (const c of charts) c.plot.setData(c.data);
    for (const id of ['received', 'missed', 'resets']) document.getElementById(id).textContent = feed[id];
    document.getElementById('missed').classList.toggle('some', feed.missed > 0);
  });
}

// Points behind a gap are not joined to those before it.
function add(time, values) {
  charts.forEach((c, i) => {
    c.data[0].push(time);
    c.data[1].push(values ? values[i] : null);
    if (c.data[0].length > shown) for (const column of c.data) column.shift();
  });
}

function status(text) { document.getElementById('status').textContent = text; }

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
    draw();
  };
  source.addEventListener('gap', e => {
    const { missed } = JSON.parse(e.data), number = note(e.lastEventId);
    feed.first ??= number - missed + 1;
    feed.missed += missed;
    add((charts[0].data[0].at(-1) ?? Date.now() / 1000) + .001, null);
    draw();
  });
  source.addEventListener('reset', () => { feed.resets++; status('the server has restarted'); draw(); });
  source.addEventListener('end', () => status('the server is going down'));
  source.onerror = () => {
    status('no connection, trying again …');
    // A browser gives up where the answer is not a stream. This page does not.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, 1000);
  };
}
connect();

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
