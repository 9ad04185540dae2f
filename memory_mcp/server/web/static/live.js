// What others write, as it happens: on(listener) gets {kind, namespace, ids, count, tags, at}.
// Kinds: store, update, tag, delete, undelete, purge, embed, import, document, …; missed: some were lost, read anew.
import { ask } from './net.js';

const listeners = new Set();
let reading = null;

export function on(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(event) {
  for (const listener of [...listeners]) listener(event);
}

async function read(signal) {
  const reader = (await ask('/view/live', { signal })).body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ''; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const event = JSON.parse(line);
      if (event.kind !== 'ping' && event.kind !== 'hello') tell(event);
      if (event.kind === 'hello') document.documentElement.dataset.live = 'on';
    }
  }
}

export function start() {
  if (reading) return;
  reading = new AbortController();
  (async () => {
    for (let wait = 500; ; wait = Math.min(wait * 2, 15000)) {
      const begun = Date.now();
      try { await read(reading.signal); } catch (error) {
        if (error.name === 'AbortError' || error.code === 'signed_out') { reading = null; return; }
      }
      delete document.documentElement.dataset.live;
      if (Date.now() - begun > 20000) wait = 500;
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (!reading) return;
      tell({ kind: 'missed', ids: [], count: 0, tags: [] });
    }
  })();
}

export function stop() {
  reading?.abort();
  reading = null;
}
