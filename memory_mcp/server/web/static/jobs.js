import { change, chooses, follow } from './follow.js';

export function mount(root, page) {
  const list = page.ui.$('#list', root);
  if (!list) return null;
  const query = new URLSearchParams(location.search);
  query.set('part', 'list');
  const following = follow(list, page, `/jobs?${query}`, { news: 'jobs.new' });
  chooses(page.ui.$('#filter', root), page, '/jobs');
  root.addEventListener('click', (event) => {
    const button = event.target.closest('[data-cancel]');
    if (!button) return;
    button.disabled = true;
    change(page, 'jobs.cancel', { id: button.dataset.cancel }, following);
  });
  const deaf = page.live.on(page.ui.debounce(() => following.glance(), 500));
  return () => { deaf(); following.stop(); };
}
