import { change, chooses, follow } from './follow.js';
import { refusal, send } from './send.js';

export function mount(root, page) {
  const { $ } = page.ui;
  const list = $('#list', root);
  if (!list) return null;
  const query = new URLSearchParams(location.search);
  query.set('part', 'list');
  const following = follow(list, page, `/documents?${query}`);
  const adding = $('#drop', root) ? mountAdding(root, page) : () => {};

  chooses($('#filter', root), page, '/documents');
  root.addEventListener('click', async (event) => {
    const button = event.target.closest('[data-unwatch], #remove-missing');
    if (!button) return;
    const { unwatch, path } = button.dataset;
    const key = unwatch ? 'unwatch' : 'remove_missing';
    const yes = await page.ui.confirm({ title: page.t(`documents.${key}_title`), text: page.t(`documents.${key}_text`, { path }), yes: page.t(`documents.${key}`), kind: unwatch ? 'primary' : 'danger' });
    if (yes) await change(page, `documents.${key}`, unwatch ? { id: unwatch } : { namespace: space() }, following);
  });
  $('#path-form', root)?.addEventListener('submit', async (event) => {
    event.preventDefault();
    const form = event.target;
    $('#path-error', root).textContent = '';
    try {
      const { message } = await page.act('documents.ingest', { path: form.path.value.trim(), watch: form.watch?.checked ?? false, tags: tags(root, page), namespace: space() });
      page.ui.toast(message);
      page.go(jobs());
    } catch (error) { $('#path-error', root).textContent = error.message; }
  });
  const deaf = page.live.on(page.ui.debounce(() => following.glance(), 500));
  return () => { deaf(); following.stop(); adding(); };
}

// The namespace that the address names; null for the caller's own.
const space = () => new URLSearchParams(location.search).get('namespace');
const jobs = () => (space() ? `/jobs?${new URLSearchParams({ namespace: space() })}` : '/jobs');
const tags = (root, page) => page.ui.$('#tags', root).value.split(',').map((tag) => tag.trim()).filter(Boolean);

function mountAdding(root, page) {
  const { $ } = page.ui;
  const drop = $('#drop', root);
  const bounds = { files: Number(drop.dataset.files), fileBytes: Number(drop.dataset.fileBytes), bytes: Number(drop.dataset.bytes) };
  let sending = null;

  async function take(files, folder = '') {
    const wrong = folder ? page.t('documents.is_folder', { name: folder }) : refusal(files, bounds, page);
    $('#send-error', root).textContent = wrong;
    if (wrong || !files.length || sending) return;
    sending = new AbortController();
    $('#sending', root).hidden = false;
    $('#sending progress', root).removeAttribute('value');
    try {
      const { message } = await send(page, 'documents.upload', files, { tags: tags(root, page), namespace: space() }, sending.signal);
      page.ui.toast(message);
      page.go(jobs());
    } catch (error) {
      if (error.name !== 'AbortError') $('#send-error', root).textContent = error.message;
    } finally {
      sending = null;
      $('#sending', root).hidden = true;
      $('#files', root).value = '';
    }
  }

  $('#files', root).addEventListener('change', (event) => take([...event.target.files]));
  $('#stop-sending', root).addEventListener('click', () => sending?.abort());
  const over = (event) => { event.preventDefault(); drop.classList.toggle('over', event.type === 'dragover'); };
  for (const kind of ['dragover', 'dragleave']) drop.addEventListener(kind, over);
  drop.addEventListener('drop', (event) => {
    over(event);
    const folder = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).find((entry) => entry?.isDirectory);
    take([...event.dataTransfer.files], folder?.name);
  });
  return () => sending?.abort();
}
