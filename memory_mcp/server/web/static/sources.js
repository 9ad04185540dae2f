export function mount(root, page) {
  const { $ } = page.ui;
  root.addEventListener('submit', async (event) => {
    const form = event.target.closest('[data-test]');
    if (!form) return;
    event.preventDefault();
    const card = form.closest('.card');
    const button = $('button', form);
    button.disabled = true;
    $('.answer', card).textContent = page.t('sources.testing');
    try {
      const { html } = await page.act('sources.test', { name: form.dataset.test, query: form.query.value });
      page.ui.show($('.answer', card), html);
      await refreshHead(card, page);
    } catch (error) {
      $('.answer', card).textContent = '';
      page.ui.complain(error);
    } finally { button.disabled = false; }
  });
  return null;
}

// The state and figures above the question; the question and its answer stay.
async function refreshHead(card, page) {
  const parsed = new DOMParser().parseFromString(await page.view('/sources?part=list'), 'text/html');
  const fresh = [...parsed.querySelectorAll('.card')].find((each) => each.dataset.key === card.dataset.key);
  if (!fresh) return;
  const form = page.ui.$('form', card);
  const told = page.ui.$('.answer .notice', card) ? '.notice' : 'form';  // what the answer says need not stand there twice
  const head = [...fresh.children].filter((child) => !child.matches(`form, .answer, ${told}`));
  for (const child of [...card.children]) if (!child.matches('form, .answer')) child.remove();
  for (const child of head) card.insertBefore(child, form);
  page.ui.refreshTimes(card);
}
