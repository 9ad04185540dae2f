// What was deleted: brought back alone or together, or removed for good.
import { AT_ONCE, Selection, change } from './bulk.js';

export function mount(root, page) {
  const { $, $$, complain, confirm, el, show, toast } = page.ui;
  const list = $('#trash-list', root);
  const namespace = () => list.dataset.namespace;
  const again = () => page.reload();
  const selection = new Selection(list, {
    kind: 'trash', namespace, after: again,
    extra: page.may('admin') ? [{ text: page.t('trash.purge'), run: (ids) => purge(ids).catch(complain) }] : [],
  });
  list.after(selection.bar);

  async function purge(ids, before = null) {
    const count = ids ? ids.length : Number($('[data-empty]', root).dataset.count);
    if (!await confirm({ title: page.t('trash.sure', { count }), text: page.t('trash.sure_text'), yes: page.t('trash.purge'), kind: 'danger' })) return;
    const newest = before ?? new Date(Date.now() + 60000).toISOString();
    const groups = ids ? Array.from({ length: Math.ceil(ids.length / AT_ONCE) }, (_, at) => ids.slice(at * AT_ONCE, (at + 1) * AT_ONCE)) : [null];
    let removed = 0;
    try {
      for (const some of groups) removed += (await page.act('trash.purge', { namespace: namespace(), before: newest, ...(some ? { ids: some } : {}) })).data.count;
    } finally {
      if (removed) toast(page.t('trash.purged', { count: removed }));
      await again();
    }
  }

  root.addEventListener('click', async ({ target }) => {
    const button = target.closest?.('button');
    if (!button) return;
    const id = button.closest('[data-row]')?.dataset.id;
    try {
      if (button.hasAttribute('data-restore')) await change('restore', [id], { namespace: namespace(), after: again });
      else if (button.hasAttribute('data-purge')) await purge([id]);
      else if (button.dataset.empty) await purge(null, button.dataset.empty);
      else if (button.dataset.more) await more(button);
    } catch (error) { complain(error); }
  });

  async function more(button) {
    const made = el('div');
    show(made, await page.view(`/trash?${new URLSearchParams({ namespace: namespace(), cursor: button.dataset.more, part: 'list' })}`));
    const rows = $$('[data-row]', made);
    $('#hits', list).append(...rows);
    $('.more', list).replaceWith($('.more', made));
    selection.refresh();
    $('a', rows[0])?.focus();
  }

  $('#trash-of', root)?.addEventListener('submit', (event) => {
    event.preventDefault();
    const wanted = event.target.namespace.value.trim();
    page.go(wanted ? `/trash?${new URLSearchParams({ namespace: wanted })}` : '/trash');
  });
  return () => selection.end();
}
