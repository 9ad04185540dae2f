// The map: points in a canvas that is moved, zoomed and selected in; what lies at a point is asked for by its number.
import { Selection } from './bulk.js';
import { keepDrawn } from './chart.js';
import { Cloud, View, enclosed, nearest, paint, visible } from './points.js';

const COLOURS = ['--c1', '--c2', '--c3', '--c4', '--c5', '--c6', '--c7', '--c8', '--line-strong'];
const LISTED = 100;
const AT_ONCE = 1000;
const POLL_MS = 1000;
const STEP = 60;

export function mount(root, page) {
  const { $, show, el, complain, colour, say, toast, debounce } = page.ui;
  const { t } = page;
  const frame = $('[data-map]', root);
  const canvas = $('[data-canvas]', root);
  const tip = $('[data-tip]', root);
  const list = $('[data-part=list]', root);
  const state = $('[data-part=state]', root);
  const view = new View();
  const ended = new AbortController();
  const { signal } = ended;
  let cloud = null;
  let header = null;
  let palette = [];
  let faint = [0, 0, 0];
  let asked = 0;
  let lasso = null;
  let isLasso = false;
  let drag = null;
  let hovered = -1;
  let poll = null;
  let more = null;
  let selection = null;

  const pixels = () => window.devicePixelRatio || 1;
  const rgb = (name) => colour(name).match(/[\d.]+/g).slice(0, 3).map(Number).map((part) => (colour(name).startsWith('color') ? part * 255 : part));

  function redraw() {
    if (!asked && cloud) asked = requestAnimationFrame(() => { asked = 0; draw(); });
  }

  function draw() {
    paint(canvas, cloud, view, pixels(), palette, faint);
    const pen = canvas.getContext('2d');
    pen.setTransform(pixels(), 0, 0, pixels(), 0, 0);
    if (lasso?.length > 1) {
      pen.strokeStyle = pen.fillStyle = colour('--accent');
      pen.lineWidth = 2;
      pen.beginPath();
      lasso.forEach(([x, y]) => pen.lineTo(...view.toScreen(x, y)));
      pen.closePath();
      pen.stroke();
      pen.globalAlpha = 0.12;
      pen.fill();
      pen.globalAlpha = 1;
    }
    if (hovered >= 0) {
      const [x, y] = view.toScreen(cloud.xs[hovered], cloud.ys[hovered]);
      pen.strokeStyle = colour('--text');
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(x, y, 7, 0, 7);
      pen.stroke();
    }
  }

  function fit() {
    const { width, height } = canvas.getBoundingClientRect();
    if (!width) return;
    canvas.width = Math.round(width * pixels());
    canvas.height = Math.round(height * pixels());
    view.resize(width, height);
    palette = COLOURS.map(rgb);
    faint = rgb('--line-strong');
    legend();
    if (cloud) draw();
  }

  function legend() {
    if (!header) return;
    const names = header.legend.map(([label], at) => label || (at === header.legend.length - 1 ? t('map.untagged') : t('map.other')));
    const buttons = header.legend.map(([, count], at) => {
      if (!count) return null;
      const dot = el('i');
      dot.style.background = `var(${COLOURS[at]})`;
      return el('button', {
        type: 'button', 'aria-pressed': String(!cloud.hidden.has(at)),
        onclick: (event) => {
          if (!cloud.hidden.delete(at)) cloud.hidden.add(at);
          event.currentTarget.setAttribute('aria-pressed', String(!cloud.hidden.has(at)));
          redraw();
        },
      }, dot, el('bdi', {}, names[at]), el('span', { class: 'count' }, count.toLocaleString('en')));
    });
    const drawn = el('time', { datetime: header.drawn, title: header.drawn });
    const [before, after] = t('map.drawn', { when: '\u0000' }).split('\u0000');
    const about = el('p', { class: 'dim small' }, t('map.points', { count: header.points }), header.unplaced ? `, ${t('map.unplaced', { count: header.unplaced })}` : '', ` · ${before}`, drawn, after);
    $('[data-legend]', root).replaceChildren(...buttons.filter(Boolean), about);
    page.ui.refreshTimes($('[data-legend]', root));
  }

  function query() {
    const wanted = new URLSearchParams(location.search);
    for (const name of ['sheet', 'points', 'part']) wanted.delete(name);
    return wanted;
  }

  async function load(again = 3) {
    const wanted = query();
    clearTimeout(more);
    try {
      const buffer = await (await page.ask(`/raw/map.points?${wanted}`, { signal })).arrayBuffer();
      if (!buffer.byteLength) return false;
      const begin = 4 + new DataView(buffer).getUint32(0, true);
      header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, begin - 4)));
      const count = header.points;
      const hidden = cloud?.hidden;
      cloud = new Cloud({
        xs: new Uint16Array(buffer, begin, count), ys: new Uint16Array(buffer, begin + 2 * count, count), categories: new Uint8Array(buffer, begin + 4 * count, count),
      });
      if (hidden && load.by === wanted.get('by')) cloud.hidden = hidden;
      load.by = wanted.get('by');
      frame.hidden = false;
      $('[data-nothing]', root).hidden = count > 0;
      hovered = -1;
      fit();
      if (header.unplaced && again) more = setTimeout(() => { if (!cloud.selected && !drag) load(again - 1); }, 10 * POLL_MS);
      return true;
    } catch (error) { if (error.name !== 'AbortError') complain(error); return false; }
  }

  const now = () => $('[data-state]', state)?.dataset.state;

  // Ask how far the map is until it is drawn, then show it.
  function watch() {
    clearTimeout(poll);
    if (!['drawing', 'elsewhere', 'missing'].includes(now())) return;
    poll = setTimeout(async () => {
      try {
        const before = now();
        show(state, await page.view('/map?part=state', { signal }));
        if (now() === 'ready' || (before !== now() && cloud)) { select([]); await load(); }
        if (now() === 'ready') say(t('map.points', { count: header?.points ?? 0 }));
      } catch (error) { if (error.name === 'AbortError') return; }
      watch();
    }, now() === 'drawing' ? POLL_MS : 5 * POLL_MS);
  }

  async function select(points) {
    if (!cloud) return;
    cloud.selected = points.length ? new Uint8Array(cloud.count) : null;
    for (const point of points) cloud.selected[point] = 1;
    redraw();
    list.replaceChildren();
    if (!points.length) return;
    const head = t('map.selected', { count: points.length });
    const more = points.length > LISTED ? ` ${t('map.list_more', { shown: LISTED })}` : '';
    say(head + more);
    try {
      const html = await page.view(`/map?part=list&${part(points.slice(0, LISTED))}`, { signal });
      if (!cloud.selected?.[points[0]]) return;
      show(list, html);
      selection?.end();
      selection = new Selection(list, { namespace: () => page.session.namespace, after: async () => { await select([]); await load(); } });
      list.prepend(el('div', { class: 'heading' }, el('h2', {}, head), el('span', { class: 'dim' }, more),
        page.may('write') ? el('button', { class: 'button small', type: 'button', 'data-choose': '', onclick: () => chooseAll(points).catch(complain) }, t('map.choose', { count: points.length })) : null,
        el('button', { class: 'button quiet small', type: 'button', onclick: () => select([]) }, t('narrowing.clear'))));
    } catch (error) { complain(error); }
  }

  // Put all of a selection into the bar of changes, the memories that are not listed too.
  async function chooseAll(points) {
    for (let at = 0; at < points.length; at += AT_ONCE) {
      const { data } = await page.act('map.at', { sheet: header.sheet, points: points.slice(at, at + AT_ONCE) }, { signal });
      for (const [id, namespace] of data.memories) selection.choose(id, namespace);
    }
    selection.refresh();
    $('[data-change]', selection.bar)?.focus();
  }

  const part = (points) => new URLSearchParams({ sheet: header.sheet, points: points.map((point) => point.toString(36)).join('.') });

  const read = debounce(async (point) => {
    if (point !== hovered || point < 0) return;
    try {
      const html = await page.view(`/map?part=point&${part([point])}`, { signal });
      if (point !== hovered) return;
      show(tip, html);
      tip.hidden = false;
      const [x, y] = view.toScreen(cloud.xs[point], cloud.ys[point]);
      tip.style.left = `${Math.max(8, Math.min(view.width - tip.offsetWidth - 8, x + 14))}px`;
      tip.style.top = `${y + 14 + tip.offsetHeight < view.height ? y + 14 : Math.max(8, y - tip.offsetHeight - 14)}px`;
    } catch (error) { if (error.status === 404) await load(); }
  }, 90);

  function hover(point) {
    if (point === hovered) return;
    hovered = point;
    tip.hidden = true;
    redraw();
    if (point >= 0) read(point);
  }

  function useLasso(on) {
    isLasso = on;
    canvas.classList.toggle('lasso', on);
    $('[data-tool=lasso]', root).setAttribute('aria-pressed', String(on));
  }

  const tools = {
    in: () => view.zoom(1.6), out: () => view.zoom(1 / 1.6), all: () => view.all(),
    lasso: () => useLasso(!isLasso), seen: () => select(visible(cloud, view)),
  };
  root.addEventListener('click', async (event) => {
    const tool = event.target.closest('[data-tool]')?.dataset.tool;
    if (tool && cloud) { tools[tool](); hover(-1); redraw(); }
    if (event.target.closest('[data-draw]')) {
      try {
        toast((await page.act('map.draw')).message);
        show(state, await page.view('/map?part=state', { signal }));
        watch();
      } catch (error) { complain(error); }
    }
  });

  canvas.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !cloud) return;
    const keys = {
      ArrowLeft: () => view.move(STEP, 0), ArrowRight: () => view.move(-STEP, 0), ArrowUp: () => view.move(0, STEP), ArrowDown: () => view.move(0, -STEP),
      '+': tools.in, '=': tools.in, '-': tools.out, 0: tools.all, s: tools.lasso, v: tools.seen, Escape: () => { useLasso(false); select([]); },
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]();
    hover(-1);
    redraw();
  });

  const place = (event) => { const { left, top } = canvas.getBoundingClientRect(); return [event.clientX - left, event.clientY - top]; };
  canvas.addEventListener('pointerdown', (event) => {
    if (event.button || !cloud) return;
    canvas.setPointerCapture(event.pointerId);
    const [x, y] = place(event);
    drag = { x, y, moved: false };
    if (isLasso || event.shiftKey) lasso = [view.toPlane(x, y)];
    canvas.classList.add('moving');
  });
  canvas.addEventListener('pointermove', (event) => {
    if (!cloud) return;
    const [x, y] = place(event);
    if (!drag) { hover(nearest(cloud, view, x, y)); return; }
    drag.moved ||= Math.hypot(x - drag.x, y - drag.y) > 4;
    if (!drag.moved) return;
    if (lasso) lasso.push(view.toPlane(x, y));
    else { view.move(x - drag.x, y - drag.y); drag.x = x; drag.y = y; }
    hover(-1);
    redraw();
  });
  const drop = (event) => {
    canvas.classList.remove('moving');
    if (!drag) return;
    const { moved } = drag;
    drag = null;
    if (lasso && moved) select(enclosed(cloud, lasso));
    else if (!moved && event.type === 'pointerup') { const point = nearest(cloud, view, ...place(event)); select(point < 0 ? [] : [point]); }
    lasso = null;
    redraw();
  };
  canvas.addEventListener('pointerup', drop);
  canvas.addEventListener('pointercancel', drop);
  canvas.addEventListener('pointerleave', () => hover(-1));
  canvas.addEventListener('wheel', (event) => {
    if (!cloud) return;
    event.preventDefault();
    view.zoom(1.0015 ** -event.deltaY, ...place(event));
    hover(-1);
    redraw();
  }, { passive: false });

  $('[data-by]', root).addEventListener('change', async (event) => {
    const wanted = query();
    wanted.set('by', event.target.value);
    page.go(`/map?${wanted}`, { replace: true, keep: true });
    select([]);
    await load();
  });
  root.addEventListener('submit', (event) => {
    const form = event.target.closest('[data-filters]');
    if (!form) return;
    event.preventDefault();
    const wanted = new URLSearchParams([...new FormData(form)].filter(([, value]) => String(value).trim()));
    const by = $('[data-by]', root).value;
    if (by !== 'tag') wanted.set('by', by);
    page.go(`/map${wanted.size ? `?${wanted}` : ''}`);
  });

  const stop = keepDrawn(frame, fit);
  load().then(watch);
  let fresh = 0;
  const off = page.live.on((event) => {
    if (['store', 'import', 'delete', 'missed'].includes(event.kind)) {
      page.ui.news(root, fresh += event.count, async () => { fresh = 0; await select([]); await load(); watch(); }, 'map.news');
    }
  });
  return () => { ended.abort(); clearTimeout(poll); clearTimeout(more); cancelAnimationFrame(asked); stop(); off(); selection?.end(); };
}
