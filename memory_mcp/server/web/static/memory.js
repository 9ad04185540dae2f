// A memory: read, edit as it was read, delete, and what it was.
import { Selection, change, isOwn } from './bulk.js';

export function mount(root, page) {
  const { $, complain, confirm, copy, el, icon, show, toast } = page.ui;
  const article = $('.memory', root);
  const { id, namespace } = article.dataset;
  const revision = Number(article.dataset.revision);
  const editor = $('#editor', root);
  const reading = $('#reading', root);
  const ending = new AbortController();
  const { signal } = ending;
  const address = (name, more = {}) => `/raw/memory.${name}?${new URLSearchParams({ id, namespace, ...more })}`;
  const text = async (name, more) => (await page.ask(address(name, more), { signal })).text();
  const whole = async () => (await page.ask(address('content'), { signal })).json();
  let expected = revision;
  let saved = null;
  let leaving = false;
  let selection = null;

  async function loadRelated() {
    const related = $('#related', root);
    try {
      show(related, await text('related'));
      selection?.end();
      selection = new Selection(related, { namespace: () => namespace, after: loadRelated });
    } catch (error) {
      if (error.name === 'AbortError') return;
      related.replaceChildren(el('p', { class: 'dim' }, page.t('memory.related_failed'), ' ', error.message));
    }
  }
  if ($('.small-skeleton', root)) loadRelated();

  // History, when it is opened; older revisions beneath.
  const history = $('#history', root);
  const past = $('[data-history]', root);
  history?.addEventListener('toggle', async () => {
    if (!history.open || past.dataset.loaded) return;
    past.dataset.loaded = 'yes';
    try { show(past, await text('history')); } catch (error) { delete past.dataset.loaded; complain(error); }
  });
  past?.addEventListener('click', async ({ target }) => {
    const button = target.closest?.('button');
    if (!button) return;
    try {
      if (button.dataset.older) {
        const made = el('div');
        show(made, await text('history', { before: button.dataset.older }));
        button.replaceWith(...made.childNodes);
      } else if (button.dataset.read) {
        const old = $(`[data-old="${CSS.escape(button.dataset.read)}"]`, past);
        if (!old.textContent) old.textContent = await text('content', { revision: button.dataset.read });
        old.hidden = !old.hidden;
        button.setAttribute('aria-expanded', String(!old.hidden));
      } else if (button.dataset.revert) await revert(Number(button.dataset.revert));
    } catch (error) { complain(error); }
  });

  async function revert(to) {
    if (!await confirm({ title: page.t('memory.sure_revert', { revision: to }), text: page.t('memory.sure_revert_text'), yes: page.t('memory.revert') })) return;
    const done = await page.act('memory.revert', { id, namespace, revision: to, expected_revision: expected });
    toast(done.message, { undo: () => undoEdit(done.data.revision) });
    await page.reload();
  }

  async function undoEdit(made) {
    const { data } = await page.act('memories.undo', { namespace, change: 'edit', done: [{ id, revision: made }] });
    if (!leaving || location.pathname.startsWith('/memories/')) await page.reload();
    if (data.refused.length) throw new Error(page.t('memory.undo_refused'));
  }

  // Editing: the fields are as they were at a revision, which goes along with what is saved.
  async function edit() {
    if (!editor.hidden) return;
    try { saved = await whole(); } catch (error) { complain(error); return; }
    expected = saved.revision;
    fill(saved);
    editor.hidden = false;
    reading.hidden = true;
    editor.elements.content.focus();
  }

  function fill(fields) {
    editor.elements.content.value = fields.content;
    for (const name of ['tags', 'type', 'metadata']) editor.elements[name].value = fields[name];
  }

  const plain = (text) => text.replace(/\r\n?/g, '\n'); // a text area turns line ends into its own: that is no change
  const edits = () => ['content', 'tags', 'type', 'metadata'].filter((name) => editor.elements[name].value !== plain(saved[name]));

  // What differs from what was read, as it was written; null where the metadata is no JSON object.
  function edited() {
    const { metadata } = editor.elements;
    const fields = Object.fromEntries(edits().map((name) => [name, editor.elements[name].value.trim() && editor.elements[name].value]));
    if ('tags' in fields) fields.tags ||= []; // text is read as the server reads it
    if ('type' in fields) fields.type = fields.type.trim();
    if (!('metadata' in fields)) return fields;
    fields.metadata ||= '{}';
    let parsed;
    try { parsed = JSON.parse(fields.metadata); } catch { parsed = null; }
    if (parsed !== null && !Array.isArray(parsed) && typeof parsed === 'object') return fields;
    $('#edit-error', editor).textContent = page.t('memory.bad_metadata');
    metadata.focus();
    return null;
  }

  async function save() {
    $('#edit-error', editor).textContent = '';
    const fields = edited();
    if (!fields) return;
    if (!Object.keys(fields).length) { close(); return; }
    const button = $('[type=submit]', editor);
    button.disabled = true;
    try {
      const done = await page.act('memory.edit', { id, namespace, expected_revision: expected, ...fields });
      if (done.data.conflict) { conflict(done); return; }
      toast(done.message, { undo: () => undoEdit(done.data.revision) });
      await page.reload();
    } catch (error) {
      if (error.code === 'signed_out') return;
      $('#edit-error', editor).textContent = error.message;
    } finally { button.disabled = false; }
  }

  // Somebody else changed it: both are shown, and what was typed stays in the fields.
  function conflict(done) {
    const box = $('#conflict', editor);
    show(box, done.html);
    const mine = $('[data-mine]', box);
    mine.addEventListener('click', () => { expected = done.data.conflict; box.replaceChildren(); save(); });
    $('[data-theirs]', box).addEventListener('click', () => page.reload());
    mine.focus();
  }

  function close() {
    editor.hidden = true;
    reading.hidden = false;
    $('#conflict', editor).replaceChildren();
    $('[data-edit]', root)?.focus();
  }

  page.unsaved = () => Boolean(editor && !editor.hidden && edits().length);

  async function cancel() {
    if (await page.mayLeave()) close();
  }

  editor?.addEventListener('submit', (event) => { event.preventDefault(); save(); });
  editor?.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); save(); }
    if (event.key === 'Escape') { event.stopPropagation(); cancel(); }
  });

  root.addEventListener('click', async ({ target }) => {
    const button = target.closest?.('button');
    if (!button || button.closest('[data-history]')) return;
    try {
      if (button.hasAttribute('data-edit')) await edit();
      else if (button.hasAttribute('data-cancel')) await cancel();
      else if (button.hasAttribute('data-delete')) await change('delete', [id], { namespace, after: () => page.reload() });
      else if (button.hasAttribute('data-restore')) await change('restore', [id], { namespace, after: () => page.reload() });
      else if (button.dataset.copy === 'id') await copy(id);
      else if (button.dataset.copy === 'content') await copy(article.querySelector('[data-restore]') ? $('#content', root).textContent : (await whole()).content);
    } catch (error) { complain(error); }
  });

  // What others do to it is said, and moves nothing.
  const unheard = page.live.on((event) => {
    const isOurs = event.namespace === namespace && event.kind !== 'embed' && (event.ids.includes(id) || event.count > event.ids.length);
    if (isOurs || event.kind === 'missed') setTimeout(tell, 400, event.ids.includes(id) ? event.kind : ''); // our own writes show the page anew before that
  });
  // `kind` is empty where the event does not say whether it is about this memory.
  async function tell(kind) {
    if (leaving || isOwn(id, namespace)) return;
    let gone = kind === 'delete' || kind === 'purge';
    if (!gone) {
      try { if ((await whole()).revision === revision && kind !== 'tag') return; } catch (error) {
        gone = error.status === 404;
        if (!kind && (!gone || 'deleted' in article.dataset)) return;
      }
      if (leaving) return;
    }
    $('#changed', root).replaceChildren(el('div', { class: 'notice warn', role: 'status' }, icon('warn'), el('div', {}, el('p', {}, page.t(gone ? 'memory.others_deleted' : 'memory.others_changed')),
      el('p', { class: 'actions' }, el('button', { class: 'button small', type: 'button', onclick: async () => { if (await page.mayLeave()) await page.reload(); } }, page.t('search.show'))))));
  }

  return () => { leaving = true; ending.abort(); unheard(); selection?.end(); };
}
