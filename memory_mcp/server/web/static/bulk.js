// Selecting rows of a list and changing them together: by click, shift-click or key, with a count first and an undo after.
import { $, $$, complain, confirm, el, icon, say, toast } from './ui.js';
import { act, may, t } from './net.js';

export const AT_ONCE = 100;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// One batch; a rate limit is waited for.
async function batch(name, body) {
  for (let wait = 2000; ; wait = Math.min(wait * 2, 15000)) {
    try { return await act(name, body); } catch (error) {
      if (error.code !== 'rate_limited') throw error;
      await pause(wait);
    }
  }
}

// What this tab has just written is told by the change log too, a moment later; nobody needs to hear of it.
const OWN_MS = 3000;
const own = new Map();
const keyOf = (id, namespace) => JSON.stringify([namespace, id]); // an id is unique in its namespace only
export const isOwn = (id, namespace) => Date.now() - (own.get(keyOf(id, namespace)) ?? 0) < OWN_MS;

// What was done stands in the outcome also where a later batch fails: `error` says why there is no more.
async function inBatches(name, items, namespace, body, told) {
  const all = { done: [], refused: [], unchanged: 0, error: null };
  for (let at = 0; at < items.length; at += AT_ONCE) {
    told?.(at, items.length);
    let data;
    try { ({ data } = await batch(name, { namespace, ...body(items.slice(at, at + AT_ONCE)) })); } catch (error) { return { ...all, error }; }
    all.done.push(...data.done);
    for (const { id } of data.done) own.set(keyOf(id, namespace), Date.now());
    all.refused.push(...data.refused);
    all.unchanged += data.unchanged;
  }
  return all;
}

function tellRefused(refused) {
  if (!refused.length) return;
  const dialog = el('dialog', { 'aria-labelledby': 'refused-title' },
    el('h2', { id: 'refused-title' }, t('bulk.refused', { count: refused.length })),
    el('ul', { class: 'stack refused' }, ...refused.slice(0, 100).map((one) => el('li', {}, el('code', {}, one.id), ' ', one.reason))),
    el('div', { class: 'actions' }, el('button', { class: 'button', type: 'button', 'data-close': '' }, t('shell.close'))));
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// Change memories, offer the undo, and name what was left as it is. `given` has tags or a type.
export async function change(name, ids, { namespace, given = {}, told, after = () => {} }) {
  const outcome = await inBatches('memories.change', ids, namespace, (some) => ({ ids: some, change: name, ...given }), told);
  const { done, refused, error } = outcome;
  if (done.length || !error) {
    await after();
    const message = t(`bulk.${name}`, { count: done.length });
    say(message);
    toast(message, { undo: done.length ? () => undoChange(name, done, namespace, after) : null });
  }
  tellRefused(refused);
  if (error) complain(error);
  return outcome;
}

async function undoChange(name, changed, namespace, after) {
  const { done, refused, error } = await inBatches('memories.undo', changed, namespace, (some) => ({ change: name, done: some }));
  await after();
  tellRefused(refused);
  if (error) complain(error);
  return t('bulk.undone', { count: done.length });
}

// Ask for tags or a type.
function asked(name, count) {
  const input = el('input', { name: 'value', required: true, maxlength: name === 'type' ? 64 : 2000, autocomplete: 'off', list: name === 'type' ? 'types' : 'tags' });
  const dialog = el('dialog', { 'aria-labelledby': 'ask-title' },
    el('form', { method: 'dialog' },
      el('h2', { id: 'ask-title' }, t(`bulk.ask_${name}`, { count })),
      el('label', { class: 'field' }, el('span', {}, t(name === 'type' ? 'search.type' : 'search.tags')), input),
      el('div', { class: 'actions' },
        el('button', { class: 'button', type: 'button', 'data-close': '' }, t('shell.cancel')),
        el('button', { class: 'button primary', value: 'yes' }, t(`bulk.do_${name}`)))));
  document.body.append(dialog);
  dialog.showModal();
  input.focus();
  return new Promise((resolve) => dialog.addEventListener('close', () => {
    dialog.remove();
    const value = input.value.trim();
    resolve(dialog.returnValue === 'yes' && value ? value : null);
  }, { once: true }));
}

const ACTIONS = { list: ['tag', 'untag', 'type', 'delete'], trash: ['restore'] };
const ICONS = { tag: 'tag', untag: 'minus', type: 'edit', delete: 'trash', restore: 'restore' };

// The bar beneath a list of rows with [data-select]. `matching` returns the ids of all that match, or is missing.
export class Selection {
  constructor(root, { kind = 'list', namespace, after, matching = null, extra = [] }) {
    Object.assign(this, { root, namespace, after, matching, chosen: new Map(), last: null, busy: false });
    this.bar = el('div', { class: 'bulk', role: 'toolbar', 'aria-label': t('bulk.bar'), hidden: true },
      this.count = el('strong', { role: 'status' }),
      this.all = el('button', { class: 'button quiet small', type: 'button', onclick: () => this.chooseAll().catch(complain) }),
      ...ACTIONS[kind].map((name) => el('button', { class: `button small ${name === 'delete' ? 'danger' : ''}`, type: 'button', 'data-change': name, onclick: () => this.run(name).catch(complain) }, icon(ICONS[name]), t(`bulk.do_${name}`))),
      ...extra.map(({ text, run }) => el('button', { class: 'button small danger', type: 'button', onclick: () => run([...this.chosen.values()].map(({ id }) => id)) }, text)),
      el('button', { class: 'button quiet small', type: 'button', onclick: () => this.clear() }, t('bulk.clear')),
      this.progress = el('progress', { hidden: true, 'aria-label': t('bulk.progress') }));
    if (may('write')) root.append(this.bar);
    this.click = (event) => this.clicked(event);
    root.addEventListener('click', this.click);
  }

  // Shift extends from the last one that was chosen.
  clicked(event) {
    const box = event.target.closest?.('input[data-select]');
    if (!box) return;
    const rows = this.rows();
    const at = rows.indexOf(box.closest('[data-row]'));
    const from = event.shiftKey && this.last !== null ? Math.min(this.last, at) : at;
    const to = event.shiftKey && this.last !== null ? Math.max(this.last, at) : at;
    for (const row of rows.slice(from, to + 1)) this.set(row, box.checked);
    this.last = at;
    this.draw();
  }

  rows() { return $$('[data-row]:has([data-select])', this.root); }

  set(row, chosen) {
    const box = $('[data-select]', row);
    box.checked = chosen;
    row.classList.toggle('selected', chosen);
    if (chosen) this.choose(row.dataset.id, row.dataset.namespace);
    else this.chosen.delete(keyOf(row.dataset.id, row.dataset.namespace));
  }

  choose(id, namespace) { this.chosen.set(keyOf(id, namespace), { id, namespace }); }

  async chooseAll() {
    for (const row of this.rows()) this.set(row, true);
    if (this.matching) {
      const { ids, count } = await this.matching();
      if (count !== this.total()) {
        this.clear();
        await this.after();
        throw new Error(t('bulk.stale'));
      }
      for (const id of ids) this.choose(id, this.namespace());
      if (count > ids.length) toast(t('bulk.most', { count: ids.length }));
    }
    this.draw();
    $('[data-change]', this.bar)?.focus();
  }

  clear() {
    for (const row of this.rows()) this.set(row, false);
    this.chosen.clear();
    this.draw();
  }

  // Rows were replaced: those that are chosen still are.
  refresh(keep = true) {
    if (!keep) this.chosen.clear();
    for (const row of this.rows()) this.set(row, this.chosen.has(keyOf(row.dataset.id, row.dataset.namespace)));
    this.last = null;
    this.draw();
  }

  // How many the list says that it has.
  total() { return Number($('#summary', this.root)?.dataset.total || 0); }

  draw() {
    this.bar.hidden = !this.chosen.size;
    this.count.textContent = t('bulk.count', { count: this.chosen.size });
    const total = this.total();
    const shown = this.rows().length;
    const most = this.matching && total > shown ? total : shown;
    this.all.hidden = this.chosen.size >= most;
    this.all.textContent = this.matching && total > shown ? t('bulk.all', { count: total }) : t('bulk.all_shown', { count: shown });
  }

  async run(name) {
    if (this.busy) return;
    const chosen = [...this.chosen.values()];
    const given = {};
    if (name === 'delete') {
      if (chosen.length > 1 && !await confirm({ title: t('bulk.sure', { count: chosen.length }), text: t('bulk.sure_text'), yes: t('bulk.do_delete'), kind: 'danger' })) return;
    } else if (name !== 'restore') {
      const value = await asked(name, chosen.length);
      if (value === null) return;
      given[name === 'type' ? 'type' : 'tags'] = value;
    }
    this.busy = true;
    const told = (done, of) => { this.progress.hidden = false; this.progress.max = of; this.progress.value = done; };
    try {
      for (const namespace of new Set(chosen.map((one) => one.namespace))) {
        const ids = chosen.filter((one) => one.namespace === namespace).map(({ id }) => id);
        const { done, error } = await change(name, ids, { namespace, given, told, after: this.after });
        for (const { id } of done) this.chosen.delete(keyOf(id, namespace));
        if (error) { this.refresh(); return; }
      }
      this.clear();
    } finally {
      this.busy = false;
      this.progress.hidden = true;
    }
  }

  end() { this.root.removeEventListener('click', this.click); }
}
