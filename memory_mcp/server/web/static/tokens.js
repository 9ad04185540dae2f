import { change, follow } from './follow.js';

export function mount(root, page) {
  const { $, $$ } = page.ui;
  const following = follow($('#list', root), page, '/tokens?part=list');
  const form = $('#make-form', root);

  $('#new', root).addEventListener('click', () => { $('#make-error', root).textContent = ''; $('#make', root).showModal(); });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const scopes = $$('[name=scopes]:checked', form).map((box) => box.value);
    const days = form.days.value ? Number(form.days.value) : null;
    try {
      const { data } = await page.act('tokens.create', { name: form.elements.name.value, scopes, namespace: form.namespace.value.trim() || null, days });
      form.reset();
      $('#make', root).close();
      showOnce(data);
      following.again();
    } catch (error) { $('#make-error', root).textContent = error.message; }
  });

  // The secret lives in this element until the dialog closes, and nowhere else.
  function showOnce({ secret, name }) {
    $('#made-for', root).textContent = page.t('tokens.made_for', { name });
    $('#secret', root).textContent = secret;
    $('#made', root).showModal();
  }
  $('#copy-secret', root).addEventListener('click', () => page.ui.copy($('#secret', root).textContent));
  $('#made', root).addEventListener('close', () => { $('#secret', root).textContent = ''; });

  root.addEventListener('click', async (event) => {
    const button = event.target.closest('[data-revoke]');
    if (!button) return;
    const { revoke, name } = button.dataset;
    const yes = await page.ui.confirm({ title: page.t('tokens.revoke_title', { name }), text: page.t('tokens.revoke_text'), yes: page.t('tokens.revoke'), kind: 'danger' });
    if (yes) await change(page, 'tokens.revoke', { id: revoke }, following);
  });
  return () => { $('#secret', root).textContent = ''; following.stop(); };
}
