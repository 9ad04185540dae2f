// Lists that change while they are looked at: jobs, backups, imports, health.

// Put new HTML of our server into a box: children with data-key are replaced one by one, so that what is open or
// focused stays as it is. With `still` nothing new comes in between what is known; returns how much was left out.
function merge(box, html, ui, still = false) {
  const fresh = new DOMParser().parseFromString(html, 'text/html').body.firstElementChild;
  const held = box.firstElementChild;
  if (!held || !fresh) { ui.show(box, html); return 0; }
  const known = new Map([...held.children].map((child) => [child.dataset.key, child]));
  const isStill = still && !known.has('empty') && known.size > 0;
  const shown = [...fresh.children].filter((child) => !isStill || known.has(child.dataset.key));
  const left = fresh.children.length - shown.length;
  const children = shown.map((child) => kept(known.get(child.dataset.key), child, ui));
  held.dataset.running = fresh.dataset.running;
  for (const child of [...held.children]) if (!children.includes(child)) child.remove();
  children.forEach((child, place) => { if (held.children[place] !== child) held.insertBefore(child, held.children[place] ?? null); });
  return left;
}

const sent = new WeakMap();

function kept(before, fresh, ui) {
  const html = fresh.outerHTML;
  if (before && sent.get(before) === html) { ui.refreshTimes(before); return before; }
  if (before) copyState(before, fresh);
  const focused = before?.contains(document.activeElement) ? document.activeElement.id : '';
  sent.set(fresh, html);
  ui.enhance(fresh);
  if (before) before.replaceWith(fresh);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  return fresh;
}

function copyState(before, fresh) {
  const open = [...before.querySelectorAll('details')].map((each) => each.open);
  fresh.querySelectorAll('details').forEach((each, place) => { each.open = open[place] ?? each.open; });
}

// Ask for a part again every second while it is under way, or when `again` or `glance` is called; returns those and
// `stop`. With `news`, a text's key, only `again` lets new entries in: else a bar tells of them.
export function follow(box, page, path, { ms = 1000, idle = 0, changed = () => {}, news = '' } = {}) {
  let timer = 0;
  let asking = null;
  const isRunning = () => box.firstElementChild?.dataset.running === 'yes';
  const wait = () => {
    clearTimeout(timer);
    const next = isRunning() ? ms : idle;
    if (next) timer = setTimeout(look, next, true);
  };
  async function look(still) {
    if (document.hidden) { wait(); return; }
    asking?.abort();
    asking = new AbortController();
    const was = isRunning();
    try {
      const left = merge(box, await page.view(path, { signal: asking.signal }), page.ui, still && Boolean(news));
      if (left) page.ui.news(box.closest('.view'), left, () => look(false), news);
      else if (news) page.ui.$('.news', box.closest('.view') ?? box)?.remove();
      if (was && !isRunning()) changed();
      wait();
    } catch (error) {
      if (error.name === 'AbortError') return;
      if (error.code !== 'signed_out') timer = setTimeout(look, 5 * ms, true);
    }
  }
  wait();
  return { again: () => look(false), glance: () => look(true), stop: () => { clearTimeout(timer); asking?.abort(); } };
}

// Do a change, say what came of it, and look again; buttons are named by data-NAME.
export async function change(page, name, body, following) {
  try {
    const { message, data } = await page.act(name, body);
    if (message) page.ui.toast(message);
    await following?.again();
    return data ?? {};
  } catch (error) {
    page.ui.complain(error);
    return null;
  }
}

// A form of selects that say what a view shows: each choice is an address.
export function chooses(form, page, path) {
  form?.addEventListener('change', () => {
    const given = [...new FormData(form)].filter(([, value]) => value);
    page.go(given.length ? `${path}?${new URLSearchParams(given)}` : path);
  });
}
