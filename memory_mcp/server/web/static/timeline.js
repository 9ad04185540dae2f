// The timeline: a chart drawn from the table below it, zoomed by asking the server for another interval.
import { Selection } from './bulk.js';
import { grid, keepDrawn, names, paper } from './chart.js';

const MONTHS = new Intl.DateTimeFormat('en', { month: 'short', year: 'numeric' });
const DAYS = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' });
const HOURS = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', hour12: false });
const LEAST_MS = 6 * 3600e3;

export function mount(root, page) {
  const { $, $$, show, complain, colour, say } = page.ui;
  const chart = $('[data-part=chart]', root);
  const list = $('[data-part=list]', root);
  let bars = [];
  let area = null;
  let chosen = -1;
  let hovered = -1;
  let drag = null;
  let fetching = null;
  let stop = () => {};

  const box = () => $('[data-bars]', chart);
  const centre = (at) => area.left + ((at + 0.5) / bars.length) * (area.right - area.left);
  const barAt = (x) => Math.min(bars.length - 1, Math.max(0, Math.floor(((x - area.left) / (area.right - area.left)) * bars.length)));
  const timeAt = (x) => {
    const share = Math.min(1, Math.max(0, (x - area.left) / (area.right - area.left))) * bars.length;
    const bar = bars[Math.min(bars.length - 1, Math.floor(share))];
    return bar.since + (bar.until - bar.since) * (share - Math.min(bars.length - 1, Math.floor(share)));
  };

  function read() {
    stop();
    bars = $$('tr[data-since]', chart).map((row) => ({
      since: Date.parse(row.dataset.since), until: Date.parse(row.dataset.until), count: Number(row.dataset.count),
      label: row.cells[0].textContent, from: row.dataset.since, to: row.dataset.until,
    }));
    chosen = hovered = -1;
    if (bars.length) stop = keepDrawn(box(), draw);
  }

  function axis() {
    const unit = box().dataset.unit;
    let last = '';
    return bars.map(({ since }) => {
      const moment = new Date(since);
      let name;
      if (unit === 'hour') name = moment.getHours() === 0 ? DAYS.format(moment) : moment.getHours() % 6 === 0 ? HOURS.format(moment) : '';
      else if (unit === 'day' && bars.length <= 62) name = DAYS.format(moment);
      else if (unit === 'year' || unit === 'decade' || bars.length > 200 && unit !== 'day') name = String(moment.getFullYear());
      else name = MONTHS.format(moment);
      if (name === last) return '';
      last = name || last;
      return name;
    });
  }

  function draw() {
    const { pen, width, height } = paper($('canvas', box()));
    area = { left: 44, right: width - 4, top: 12, bottom: height - 24 };
    const most = Math.max(...bars.map((bar) => bar.count), 1);
    grid(pen, area, most, { least: 1 });
    names(pen, area, axis(), centre);
    const step = (area.right - area.left) / bars.length;
    const gap = step > 5 ? Math.min(3, step * 0.2) : 0;
    const [usual, strong, soft] = [colour('--accent'), colour('--c2'), colour('--accent-soft')];
    if (hovered >= 0 && !drag) { pen.fillStyle = soft; pen.fillRect(centre(hovered) - step / 2, area.top, step, area.bottom - area.top); }
    bars.forEach((bar, at) => {
      if (!bar.count) return;
      const tall = Math.max(2, (bar.count / most) * (area.bottom - area.top));
      pen.fillStyle = at === chosen ? strong : usual;
      pen.beginPath();
      const round = Math.max(0, Math.min(3, step / 3)); // while it is resized there may be no room at all
      pen.roundRect(centre(at) - step / 2 + gap / 2, area.bottom - tall, Math.max(1, step - gap), tall, [round, round, 0, 0]);
      pen.fill();
    });
    if (drag?.moved) {
      pen.fillStyle = soft;
      pen.globalAlpha = 0.7;
      pen.fillRect(Math.min(drag.from, drag.to), area.top, Math.abs(drag.to - drag.from), area.bottom - area.top);
      pen.globalAlpha = 1;
    }
  }

  function tell(at) {
    const tip = $('.tip', box());
    tip.hidden = at < 0;
    if (at < 0) return;
    tip.textContent = page.t('timeline.bar', { label: bars[at].label, count: bars[at].count.toLocaleString('en') });
    const room = box().clientWidth - tip.offsetWidth;
    tip.style.insetInlineStart = `${Math.max(0, Math.min(room, centre(at) - tip.offsetWidth / 2))}px`;
  }

  function choose(at) {
    chosen = Math.max(0, Math.min(bars.length - 1, at));
    const slider = box();
    slider.setAttribute('aria-valuenow', chosen + 1);
    slider.setAttribute('aria-valuetext', page.t('timeline.bar', { label: bars[chosen].label, count: bars[chosen].count }));
    draw();
    tell(chosen);
  }

  function query(changes) {
    const wanted = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) {
      if (value) wanted.set(name, value);
      else wanted.delete(name);
    }
    return wanted;
  }

  async function fetched(part, element, changes) {
    fetching?.abort();
    fetching = new AbortController();
    const wanted = query(changes);
    const address = `/timeline${wanted.size ? `?${wanted}` : ''}`;
    wanted.set('part', part);
    try {
      const html = await page.view(`/timeline?${wanted}`, { signal: fetching.signal });
      const focused = element.contains(document.activeElement) ? document.activeElement : null;
      const again = focused?.dataset.zoom ? `[data-zoom=${focused.dataset.zoom}]` : focused?.hasAttribute('data-bars') ? '[data-bars]' : '';
      show(element, html);
      if (again) $(again, element)?.focus();
      page.go(address, { replace: true, keep: true });
    } catch (error) { if (error.name !== 'AbortError') complain(error); }
  }

  async function zoom(since, until) {
    const first = Date.parse(box().dataset.first);
    const last = Date.parse(box().dataset.last);
    if (until - since < LEAST_MS) { const middle = (since + until) / 2; since = middle - LEAST_MS / 2; until = middle + LEAST_MS / 2; }
    const whole = since <= first && until >= last;
    const iso = (moment) => new Date(Math.max(-6.2e13, Math.min(2.5e14, moment))).toISOString();
    await fetched('chart', chart, { after: whole ? '' : iso(since), before: whole ? '' : iso(until), time_expr: '' });
    read();
    const head = $('.timeline-head p', chart);
    if (head) say(head.textContent);
  }

  function zoomBy(factor, middle = chosen < 0 ? 0.5 : (chosen + 0.5) / bars.length) {
    const [since, until] = [bars[0].since, bars.at(-1).until];
    const at = since + (until - since) * middle;
    zoom(at - (at - since) * factor, at + (until - at) * factor);
  }
  const shift = (share) => { const [since, until] = [bars[0].since, bars.at(-1).until]; zoom(since + (until - since) * share, until + (until - since) * share); };
  const all = () => zoom(-Infinity, Infinity);

  async function open(at) {
    choose(at);
    if (!bars[at].count) return;
    await fetched('list', list, { since: bars[at].from, until: bars[at].to });
    choosing();
    say($('h2', list)?.textContent ?? '');
  }

  const act = { in: () => zoomBy(0.5), out: () => zoomBy(2), earlier: () => shift(-0.5), later: () => shift(0.5), all };
  chart.addEventListener('click', (event) => { const button = event.target.closest('[data-zoom]'); if (button) act[button.dataset.zoom](); });

  chart.addEventListener('keydown', (event) => {
    if (!event.target.matches('[data-bars]') || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = chosen < 0 ? bars.length : chosen;
    const keys = {
      ArrowLeft: () => (event.shiftKey ? act.earlier() : choose(at - 1)), ArrowRight: () => (event.shiftKey ? act.later() : choose(at + 1)),
      ArrowDown: () => choose(at - 1), ArrowUp: () => choose(at + 1), Home: () => choose(0), End: () => choose(bars.length - 1),
      Enter: () => chosen >= 0 && open(chosen), '+': act.in, '=': act.in, '-': act.out, 0: all,
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });

  const place = (event) => event.clientX - box().getBoundingClientRect().left;
  chart.addEventListener('pointerdown', (event) => {
    if (!event.target.closest('[data-bars]') || event.button) return;
    drag = { from: place(event), to: place(event), moved: false };
    box().setPointerCapture(event.pointerId);
  });
  chart.addEventListener('pointermove', (event) => {
    if (!event.target.closest('[data-bars]') || !area || !bars.length) return;
    if (drag) { drag.to = place(event); drag.moved ||= Math.abs(drag.to - drag.from) > 6; }
    hovered = barAt(place(event));
    draw();
    tell(hovered);
  });
  chart.addEventListener('pointerup', () => {
    if (!drag) return;
    const { from, to, moved } = drag;
    drag = null;
    if (moved) zoom(timeAt(Math.min(from, to)), timeAt(Math.max(from, to)));
    else open(barAt(to));
  });
  chart.addEventListener('pointercancel', () => { drag = null; draw(); });
  chart.addEventListener('pointerout', (event) => {
    if (drag || !bars.length || event.target.closest('[data-bars]')?.contains(event.relatedTarget)) return;
    hovered = -1;
    draw();
    tell(document.activeElement === box() ? chosen : -1);
  });
  const wheel = page.ui.debounce((factor, middle) => zoomBy(factor, middle), 60);
  let turned = 0;
  chart.addEventListener('wheel', (event) => {
    if (!event.target.closest('[data-bars]') || !event.deltaY || !area) return;
    event.preventDefault();
    turned += event.deltaY;
    wheel(Math.min(8, Math.max(1 / 8, 1.002 ** turned)), (place(event) - area.left) / (area.right - area.left));
    clearTimeout(wheel.reset);
    wheel.reset = setTimeout(() => { turned = 0; }, 200);
  }, { passive: false });

  root.addEventListener('submit', (event) => {
    const form = event.target.closest('[data-filters]');
    if (!form) return;
    event.preventDefault();
    const wanted = new URLSearchParams([...new FormData(form)].filter(([, value]) => String(value).trim()));
    page.go(`/timeline${wanted.size ? `?${wanted}` : ''}`);
  });

  let selection = null;
  function choosing() {
    selection?.end();
    selection = null;
    const namespace = () => new URLSearchParams(location.search).get('namespace') || page.session.namespace;
    if ($('[data-row]', list)) selection = new Selection(list, { namespace, after: () => page.reload() });
  }
  choosing();

  read();
  let fresh = 0;
  const off = page.live.on((event) => {
    if (['store', 'import', 'missed'].includes(event.kind)) page.ui.news(chart, fresh += event.count, () => page.reload());
  });
  return () => { stop(); off(); selection?.end(); fetching?.abort(); };
}
