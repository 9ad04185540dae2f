// What others write, as it happens: on(listener) gets {kind, namespace, ids, count, tags, at}.
// Kinds: store, update, tag, delete, undelete, purge, embed, import, document, …; missed: some were lost, look again.
// A browser makes six connections to an origin: one tab reads the stream and passes it on to the others.
import { ask, lines } from './net.js';

const NAME = 'page-live';
const LONGEST_WAIT_MS = 15000;
const LASTED_MS = 20000;
const listeners = new Set();
const tabs = new BroadcastChannel(NAME);
let started = null;
let isReader = false; // this tab reads, and the stream has begun

export function on(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function take(event) {
  if (event.kind === 'hello') document.documentElement.dataset.live = 'on';
  else if (event.kind === 'lost') delete document.documentElement.dataset.live;
  else for (const listener of [...listeners]) listener({ ids: [], count: 0, tags: [], ...event });
}

function pass(event) {
  isReader = event.kind === 'hello' || (isReader && event.kind !== 'lost');
  take(event);
  tabs.postMessage(event);
}

// A tab that has just begun asks whether there is a stream.
tabs.addEventListener('message', ({ data }) => {
  if (!started) return;
  if (data.kind !== 'who') take(data);
  else if (isReader) tabs.postMessage({ kind: 'hello' });
});

// Pass on the stream until it ends; `again`: something may have been written since somebody last read.
async function read(signal, again) {
  for await (const event of lines((await ask('/view/live', { signal })).body)) {
    if (event.kind !== 'ping') pass(event);
    if (event.kind === 'hello' && again) pass({ kind: 'missed' });
  }
}

const pause = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
});

async function keepReading(signal, again) {
  for (let wait = 500; !signal.aborted; wait = Math.min(wait * 2, LONGEST_WAIT_MS), again = true) {
    const begun = Date.now();
    try { await read(signal, again); } catch (error) { if (error.code === 'signed_out') return; }
    if (!signal.aborted) pass({ kind: 'lost' });
    if (Date.now() - begun > LASTED_MS) wait = 500;
    await pause(wait, signal);
  }
}

// Who holds the lock reads; when that tab goes, the next one does. Without locks (no HTTPS, another machine) each reads.
export async function start() {
  if (started) return;
  started = new AbortController();
  const { signal } = started;
  if (!navigator.locks) { keepReading(signal, false); return; }
  tabs.postMessage({ kind: 'who' });
  const isFirst = await navigator.locks.request(NAME, { ifAvailable: true }, (lock) => (lock ? keepReading(signal, false).then(() => true) : false));
  if (isFirst || signal.aborted) return;
  try { await navigator.locks.request(NAME, { signal }, () => keepReading(signal, true)); } catch (error) { if (error.name !== 'AbortError') throw error; }
}

export function stop() {
  started?.abort();
  started = null;
  isReader = false;
  take({ kind: 'lost' });
}
