import { change } from './follow.js';

export function mount(root, page) {
  const { $ } = page.ui;
  const id = decodeURIComponent(location.pathname.split('/').pop());
  $('#refresh', root)?.addEventListener('click', async () => {
    try {
      page.ui.toast((await page.act('document.refresh', { id })).message);
      page.go('/jobs');
    } catch (error) { page.ui.complain(error); }
  });
  $('#remove', root)?.addEventListener('click', async (event) => {
    const { title, sections } = event.currentTarget.dataset;
    const yes = await page.ui.confirm({ title: page.t('document.remove_title', { title }), text: page.t('document.remove_text', { count: Number(sections) }), yes: page.t('document.remove'), kind: 'danger' });
    if (!yes) return;
    try {
      page.ui.toast((await page.act('document.remove', { id })).message);
      page.go('/documents');
    } catch (error) { page.ui.complain(error); }
  });
  root.addEventListener('click', async (event) => {
    const button = event.target.closest('[data-unwatch]');
    if (!button) return;
    const { unwatch, path } = button.dataset;
    const yes = await page.ui.confirm({ title: page.t('documents.unwatch_title'), text: page.t('documents.unwatch_text', { path }), yes: page.t('documents.unwatch') });
    if (yes && await change(page, 'documents.unwatch', { id: unwatch })) page.reload();
  });
  return null;
}
