// Search as you type in the box above, and filters: everything is in the address, and an older answer never wins.
import { Selection, isOwn } from './bulk.js';

const FIELDS = ['namespace', 'tags', 'tag_match', 'type', 'time_expr', 'mode'];
const DEFAULTS = { tag_match: 'any', mode: 'auto' };
const WRITES = new Set(['store', 'import', 'undelete', 'document']);
const CHANGES = new Set(['update', 'tag', 'delete']);

export function mount(root, page) {
  const { $, $$, complain, debounce, el, icon, say, show } = page.ui;
  const find = document.getElementById('find');
  const form = $('#filters', root);
  const results = $('#results', root);
  const heard = new Set();
  let asking = null;
  let leaving = false;

  const query = () => new URLSearchParams(location.search);
  find.value = query().get('query') ?? '';

  function wanted() {
    const now = query();
    const next = new URLSearchParams();
    const put = (name, value) => { if (value && value !== DEFAULTS[name]) next.set(name, value); };
    put('query', find.value.trim() ? find.value : '');
    for (const name of FIELDS) put(name, form.elements[name]?.value.trim());
    put('document', form.elements.document_title.dataset.id);
    for (const name of ['conversation_id', 'after', 'before', 'metadata']) put(name, now.get(name));
    if (!next.has('tags')) next.delete('tag_match');
    return next;
  }

  const resultsOf = (asked) => `/?${new URLSearchParams([...asked, ['part', 'results']])}`;

  // `push`: a step that can be gone back to; what is typed replaces itself.
  async function search({ push = false, limit = '', focus = '' } = {}) {
    const next = wanted();
    if (limit) next.set('limit', limit);
    const path = `/${next.size ? `?${next}` : ''}`;
    if (path !== location.pathname + location.search) page.go(path, { replace: !push, keep: true });
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    const busy = setTimeout(() => results.setAttribute('aria-busy', 'true'), 150);
    try {
      const html = await page.view(resultsOf(next), { signal });
      if (signal.aborted || leaving) return;
      heard.clear();
      show(results, html);
      tellAbout();
      selection.refresh();
      say($('#summary', results)?.textContent ?? $('h2', results)?.textContent ?? '');
      if (focus) $(focus, results)?.focus();
    } catch (error) {
      if (!leaving && error.name !== 'AbortError') failed(error);
    } finally {
      clearTimeout(busy);
      if (!signal.aborted) results.removeAttribute('aria-busy');
    }
  }

  function failed(error) {
    if (error.code === 'signed_out') return;
    results.replaceChildren(el('div', { class: 'empty bad', role: 'alert' }, icon('warn'), el('h2', {}, page.t('shell.failed')), el('p', {}, error.message),
      el('div', { class: 'actions' }, el('button', { class: 'button', type: 'button', onclick: () => search() }, page.t('shell.retry')))));
  }

  const soon = debounce(() => { if (!leaving) search(); }, 160);
  const typed = (event) => { if (!event.isComposing) soon(); };
  find.addEventListener('input', typed);
  find.addEventListener('compositionend', soon);

  // Enter in the box goes to the first hit's place in the list, not to another page.
  const submit = (event) => { event.preventDefault(); event.stopImmediatePropagation(); search({ push: true, focus: '[data-row] a' }); };
  find.form.addEventListener('submit', submit, true);

  // Filters: words for completion come as they are typed.
  const completions = new Map();
  const suggest = debounce(async (input) => {
    const kind = input.dataset.suggest;
    const prefix = kind === 'tags' ? input.value.split(',').pop().trim() : input.value.trim();
    const before = kind === 'tags' && input.value.includes(',') ? `${input.value.slice(0, input.value.lastIndexOf(',') + 1)} ` : '';
    try {
      const given = new URLSearchParams({ kind, prefix });
      const namespace = form.elements.namespace?.value.trim();
      if (namespace && kind !== 'namespace') given.set('namespace', namespace);
      const known = await (await page.ask(`/raw/search.suggest?${given}`)).json();
      if (kind === 'document') for (const { label, value } of known) completions.set(label, value);
      input.list?.replaceChildren(...known.map(({ label }) => el('option', { value: before + (kind === 'tags' && /[,"[{]/.test(label) ? JSON.stringify([label]) : label) })));
    } catch (error) { if (error.code !== 'invalid_argument') complain(error); }
  }, 120);

  function documentChosen(input) {
    const title = input.value.trim();
    const known = title === '' || completions.has(title);
    $('#document-error', form).textContent = known ? '' : page.t('search.no_such_document');
    input.setAttribute('aria-invalid', String(!known));
    if (known) input.dataset.id = completions.get(title) ?? '';
    return known;
  }

  form.addEventListener('input', (event) => {
    const { target } = event;
    if (target.dataset.suggest) suggest(target);
    if (target.name === 'document_title') { if (target.value === '' || completions.has(target.value.trim())) { documentChosen(target); soon(); } return; }
    if (target.name !== 'namespace') soon();
  });
  form.addEventListener('focusin', ({ target }) => { if (target.dataset.suggest) suggest(target); });
  form.addEventListener('change', ({ target }) => { if (target.name !== 'document_title' || documentChosen(target)) search({ push: true }); });
  form.addEventListener('submit', (event) => { event.preventDefault(); search({ push: true }); });
  form.addEventListener('reset', (event) => {
    event.preventDefault();
    for (const input of form.elements) if (input.name) input.value = DEFAULTS[input.name] ?? '';
    form.elements.document_title.dataset.id = '';
    $('#document-error', form).textContent = '';
    const next = find.value.trim() ? `/?${new URLSearchParams({ query: find.value })}` : '/';
    page.go(next, { keep: true });
    search();
  });
  $('#filter-toggle', root).addEventListener('click', ({ currentTarget }) => {
    form.hidden = !form.hidden;
    currentTarget.setAttribute('aria-expanded', String(!form.hidden));
    if (!form.hidden) $('input, select', form).focus();
  });

  // On a small screen filters would push the list out of sight.
  if (window.innerWidth <= 800) { form.hidden = true; $('#filter-toggle', root).setAttribute('aria-expanded', 'false'); }
  function countFilters() {
    const used = [...query().keys()].filter((name) => ['namespace', 'tags', 'type', 'time_expr', 'document', 'mode', 'conversation_id', 'metadata', 'after', 'before'].includes(name)).length;
    const badge = $('#filter-toggle .badge', root);
    badge.hidden = !used;
    badge.textContent = String(used);
  }

  const namespace = () => form.elements.namespace?.value.trim() || page.session.namespace;
  const selection = new Selection(results, {
    namespace,
    after: () => (leaving ? page.reload() : search()),
    matching: async () => {
      const { data } = await page.act('memories.matching', matchingBody());
      return data;
    },
  });
  selection.matching = isListed() ? selection.matching : null;
  results.after(selection.bar);

  function isListed() { return !query().get('query')?.trim() && Boolean($('#summary', results)?.dataset.narrow); }
  function matchingBody() {
    const now = query();
    const body = {};
    for (const name of ['namespace', 'tags', 'tag_match', 'type', 'time_expr', 'conversation_id', 'after', 'before', 'metadata']) {
      const all = now.getAll(name);
      if (all.length) body[name] = all.length > 1 ? all : all[0];
    }
    if (now.get('document')) body.conversation_id = now.get('document');
    return body;
  }
  const matchAll = selection.matching ?? (async () => (await page.act('memories.matching', matchingBody())).data);
  const refresh = selection.refresh.bind(selection);
  selection.refresh = (keep) => { selection.matching = isListed() ? matchAll : null; refresh(keep); };

  // Which filter a problem is about; the server has told it in words.
  function tellAbout() {
    countFilters();
    const problem = $('[data-problem]', results)?.dataset.problem;
    for (const input of form.elements) if (input.name && input.name !== 'document_title') input.setAttribute('aria-invalid', String(input.name === problem));
  }
  tellAbout();

  // More of a list is put beneath what is there.
  results.addEventListener('click', async ({ target }) => {
    const more = target.closest?.('[data-more]');
    const limit = target.closest?.('[data-limit]');
    if (limit) { search({ limit: limit.dataset.limit }); return; }
    if (!more) return;
    more.disabled = true;
    try {
      const next = query();
      next.set('cursor', more.dataset.more);
      next.set('part', 'results');
      const made = el('div');
      show(made, await page.view(`/?${next}`));
      const rows = $$('[data-row]', made);
      $('#hits', results).append(...rows);
      $('.more', results).replaceWith($('.more', made));
      selection.refresh();
      $('a', rows[0])?.focus();
    } catch (error) { more.disabled = false; complain(error); }
  });

  // What others write is said, and moves nothing.
  const news = el('div', { class: 'news', role: 'status', hidden: true }, el('span'), el('button', { class: 'button small', type: 'button', onclick: () => { news.hidden = true; search({ focus: '[data-row] a' }); } }, page.t('search.show')));
  results.before(news);
  const unheard = page.live.on((event) => {
    const isLost = event.kind === 'missed';
    if (!isLost && event.namespace !== namespace()) return;
    const shown = new Set($$('[data-row]', results).map((row) => row.dataset.id));
    const others = event.ids.filter((id) => !isOwn(id, event.namespace));
    if (WRITES.has(event.kind)) for (const id of others) heard.add(`+${id}`);
    if (CHANGES.has(event.kind) && !selection.busy) for (const id of others) if (shown.has(id)) heard.add(`~${id}`);
    tellNews(shown);
    // Of a great change not all ids are told.
    if (isLost || (event.count > event.ids.length && (WRITES.has(event.kind) || CHANGES.has(event.kind)))) lookAgain();
  });
  const says = (root) => $$('[data-row]', root).map((row) => [row.dataset.id, $('.passage', row).textContent, ...$$('.chip', row).map((chip) => chip.textContent)].join('\n'));
  const summaryOf = (root) => $('#summary', root)?.textContent.trim();
  const lookAgain = debounce(async () => {
    try {
      const now = new DOMParser().parseFromString(await page.view(resultsOf(query())), 'text/html');
      const was = says(results);
      if (leaving || says(now).every((row, at) => row === was[at]) && summaryOf(now) === summaryOf(results)) return;
    } catch (error) { if (error.code === 'signed_out') return; }
    heard.add('missed');
    tellNews(new Set());
  }, 200);
  function tellNews(shown) {
    const added = [...heard].filter((one) => one.startsWith('+') && !shown.has(one.slice(1))).length;
    const changed = [...heard].filter((one) => one.startsWith('~')).length;
    const parts = [added ? page.t('shell.new', { count: added }) : '', changed ? page.t('shell.changed', { count: changed }) : '', heard.has('missed') ? page.t('shell.missed') : ''];
    news.firstChild.textContent = parts.filter(Boolean).join(' · ');
    news.hidden = !news.firstChild.textContent;
  }
  const hide = new MutationObserver(() => { if (!heard.size) news.hidden = true; });
  hide.observe(results, { childList: true });

  return () => {
    leaving = true;
    asking?.abort();
    hide.disconnect();
    unheard();
    selection.end();
    find.removeEventListener('input', typed);
    find.removeEventListener('compositionend', soon);
    find.form.removeEventListener('submit', submit, true);
  };
}
