import { change, follow } from './follow.js';
import { refusal, send, size } from './send.js';

const END = '"memory_mcp_export_end"';

export function mount(root, page) {
  const { $ } = page.ui;
  const backups = follow($('#backups', root), page, '/data?part=backups');
  const operations = follow($('#operations', root), page, '/data?part=operations', { changed: backups.again });
  const begin = async (name, body) => { if (await change(page, name, body, operations)) $('#operations', root).scrollIntoView({ block: 'nearest' }); };

  $('#back-up', root)?.addEventListener('click', () => begin('data.backup', {}));
  root.addEventListener('click', async (event) => {
    const button = event.target.closest('[data-verify], [data-copy], [data-confirm], [data-cancel], [data-undo]');
    if (!button) return;
    const { verify, copy, confirm, cancel, undo } = button.dataset;
    if (copy) page.ui.copy(copy);
    else if (verify) begin('data.verify', { name: verify });
    else if (confirm) change(page, 'data.confirm', { id: confirm }, operations);
    else if (cancel) change(page, 'data.cancel', { id: cancel }, operations);
    else if (await page.ui.confirm({ title: page.t('data.undo_title'), text: page.t('data.undo_text'), yes: page.t('data.undo'), kind: 'danger' })) change(page, 'data.undo', { run: undo }, operations);
  });
  const ends = [operations.stop, backups.stop, mountExport(root, page)];
  if ($('#import-form', root)) ends.push(mountImport(root, page, operations));
  return () => ends.forEach((end) => end());
}

function mountExport(root, page) {
  const { $ } = page.ui;
  let taking = null;

  async function save() {
    taking = new AbortController();
    $('#export-error', root).textContent = '';
    $('#stop-export', root).hidden = false;
    $('#export', root).disabled = true;
    try {
      const response = await page.ask(`/raw/data.export?without_documents=${$('#without-documents', root).checked}`, { signal: taking.signal });
      const name = response.headers.get('content-disposition').match(/filename="([^"]+)"/)[1];
      const { pieces, count } = await taken(response.body, (count, bytes) => {
        $('#exported', root).textContent = page.t('data.exporting', { count, size: size(bytes) });
      }, page);
      download(new Blob(pieces, { type: 'application/jsonl' }), name, page);
      $('#exported', root).textContent = page.t('data.exported', { count });
    } catch (error) {
      $('#exported', root).textContent = '';
      if (error.name !== 'AbortError' && error.code !== 'signed_out') $('#export-error', root).textContent = error.message;
    } finally {
      $('#stop-export', root).hidden = true;
      $('#export', root).disabled = false;
    }
  }

  $('#export', root).addEventListener('click', save);
  $('#stop-export', root).addEventListener('click', () => taking?.abort());
  return () => taking?.abort();
}

// Read an export to its end; only one with its last line is whole.
async function taken(body, tell, page) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const pieces = [];
  let lines = 0;
  let bytes = 0;
  let tail = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    pieces.push(value);
    bytes += value.length;
    for (let at = value.indexOf(10); at >= 0; at = value.indexOf(10, at + 1)) lines += 1;
    tail = (tail + decoder.decode(value, { stream: true })).slice(-4096);
    tell(Math.max(0, lines - 1), bytes);
  }
  const last = tail.trimEnd().split('\n').pop();
  if (!last.startsWith(`{${END}`)) throw new Error(errorIn(last) ?? page.t('data.cut_off'));
  return { pieces, count: JSON.parse(last)[END.slice(1, -1)] };
}

function errorIn(line) {
  try { return JSON.parse(line).error; } catch { return undefined; }
}

function download(blob, name, page) {
  const link = page.ui.el('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function mountImport(root, page, operations) {
  const { $ } = page.ui;
  const form = $('#import-form', root);
  const bounds = { files: 1, fileBytes: Number(form.dataset.bytes), bytes: Number(form.dataset.bytes) };
  let sending = null;
  const isPlace = () => form.elements.from?.value === 'place';

  function arrange() {
    const option = form.system.selectedOptions[0];
    const extras = option.dataset.extras ?? '';
    $('#of-peer', root).hidden = !('extras' in option.dataset);
    $('#of-extras', root).hidden = !extras;
    $('#extras', root).textContent = page.t('data.extras', { extras });
    $('#of-file', root).hidden = isPlace();
    $('#of-place', root).hidden = !isPlace();
    form.path.placeholder = option.dataset.place === 'yes' ? page.t('data.usual') : '';
  }

  function fields() {
    const given = { system: form.system.value };
    if ($('#of-peer', root).hidden) return given;
    for (const name of ['with_deleted', 'again', 'conversations']) given[name] = form[name].checked;
    return { ...given, source_tz: form.source_tz.value.trim() };
  }

  async function sendFile() {
    const files = [...form.file.files];
    const wrong = files.length ? refusal(files, bounds, page) : page.t('data.no_file');
    if (wrong) throw new Error(wrong);
    sending = new AbortController();
    $('#stop-upload', root).hidden = false;
    $('#uploading', root).textContent = page.t('data.uploading', { size: size(files[0].size) });
    await send(page, 'data.import', files, fields(), sending.signal);
  }

  form.addEventListener('change', arrange);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    $('#import-error', root).textContent = '';
    $('#import', root).disabled = true;
    try {
      if (isPlace()) await page.act('data.import_place', { ...fields(), path: form.path.value.trim() });
      else await sendFile();
      form.file.value = '';
      await operations.again();
      $('#operations', root).scrollIntoView({ block: 'nearest' });
    } catch (error) {
      if (error.name !== 'AbortError' && error.code !== 'signed_out') $('#import-error', root).textContent = error.message;
    } finally {
      $('#import', root).disabled = false;
      $('#stop-upload', root).hidden = true;
      $('#uploading', root).textContent = '';
    }
  });
  $('#stop-upload', root).addEventListener('click', () => sending?.abort());
  arrange();
  return () => sending?.abort();
}
