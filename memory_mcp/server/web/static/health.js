import { keepDrawn, lines as drawLines } from './chart.js';
import { follow } from './follow.js';
import { lines } from './net.js';

const EVERY_MS = 5000;

export function mount(root, page) {
  const { $ } = page.ui;
  const following = follow($('#now', root), page, '/health?part=now', { ms: EVERY_MS });
  const ends = [following.stop];
  if ($('#check', root)) ends.push(mountChecks(root, page), mountLatency(root, page));
  return () => ends.forEach((end) => end());
}

const CLOCK = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hour12: false });
const MS = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 });

// The last hour, drawn again as it goes on; its numbers stand in the table of tools as well.
function mountLatency(root, page) {
  const { $ } = page.ui;
  const canvas = $('#latency canvas', root);
  let series = null;
  let timer = 0;

  function draw() {
    if (!series) return;
    const labels = series.at.map((at) => ((at / 60) % 10 === 0 ? CLOCK.format(at * 1000) : ''));
    const told = [{ colour: '--c1', values: series.median_ms }, { colour: '--c2', values: series.p95_ms }];
    drawLines(canvas, told, { labels, format: (ms) => `${MS.format(ms)} ms` });
  }

  async function look() {
    try {
      if (!document.hidden) series = await (await page.ask('/raw/health.series')).json();
      const isEmpty = !series?.calls.some(Boolean);
      $('#latency', root).hidden = isEmpty;
      $('#latency-none', root).hidden = !isEmpty;
      draw();
    } catch (error) { if (error.code === 'signed_out') return; }
    timer = setTimeout(look, 2 * EVERY_MS);
  }

  const undrawn = keepDrawn($('#latency', root), draw);
  look();
  return () => { clearTimeout(timer); undrawn(); };
}

function mountChecks(root, page) {
  const { $ } = page.ui;
  const found = $('#findings', root);
  const copy = $('#copy', root);
  let looking = null;
  let report = '';

  function arrived(line, parts) {
    if (line.parts) {
      found.replaceChildren(...line.parts.map(() => page.ui.el('li', { hidden: true })));
      parts.push(...line.parts);
      $('#checking progress', root).max = line.parts.length;
    } else if (line.name) {
      const parsed = new DOMParser().parseFromString(line.html, 'text/html').body.firstElementChild;
      found.children[parts.indexOf(line.name)].replaceWith(parsed);
      $('#checking progress', root).value = found.querySelectorAll('[data-condition]').length;
    } else {
      page.ui.show($('#checked', root), line.html);
      report = line.report;
      copy.hidden = false;
    }
  }

  async function check() {
    looking?.abort();
    looking = new AbortController();
    copy.hidden = true;
    report = '';
    $('#checked', root).replaceChildren();
    found.hidden = false;
    $('#checking', root).hidden = false;
    $('#check', root).disabled = true;
    try {
      const parts = [];
      const { body } = await page.ask('/raw/health.checks', { signal: looking.signal });
      for await (const line of lines(body)) arrived(line, parts);
      if (!report) page.ui.toast(page.t('health.broke_off'), { kind: 'bad' });
    } catch (error) { page.ui.complain(error); } finally {
      $('#checking', root).hidden = true;
      $('#check', root).disabled = false;
    }
  }

  $('#check', root).addEventListener('click', check);
  copy.addEventListener('click', () => page.ui.copy(report));
  return () => looking?.abort();
}
