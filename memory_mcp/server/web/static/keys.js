// The keyboard: what works in every view. A list is an element with data-list, its rows have data-row.
import { $, $$ } from './ui.js';

const PLACES = { s: '/', t: '/timeline', m: '/map', d: '/documents' };

const isTyping = (target) => target.matches?.('input, textarea, select, [contenteditable]') && !['checkbox', 'radio', 'button'].includes(target.type);

function move(step) {
  const rows = $$('[data-list] [data-row]').filter((row) => row.offsetParent !== null);
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + step))];
  (next.matches('a, button, [tabindex]') ? next : $('a, button', next))?.focus();
  next.scrollIntoView({ block: 'nearest' });
}

export function bindKeys(page) {
  let going = 0;
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === 'Escape' && isTyping(event.target) && !event.target.closest('dialog')) { event.target.blur(); return; }
    if (isTyping(event.target) || document.querySelector('dialog[open]')) return;
    const goes = going && Date.now() - going < 1000;
    going = 0;
    if (goes && PLACES[event.key]) page.go(PLACES[event.key]);
    else if (event.key === '/') { $('#find').focus(); $('#find').select(); }
    else if (event.key === '?') $('#keys').showModal();
    else if (event.key === 'j') move(1);
    else if (event.key === 'k') move(-1);
    else if (event.key === 'g') going = Date.now();
    else if (event.key === 'e') { if (!$('[data-edit]')) return; $('[data-edit]').click(); }
    else if (event.key === 'x') { const box = document.activeElement?.closest?.('[data-row]')?.querySelector('input[type=checkbox]'); if (!box) return; box.click(); }
    else return;
    event.preventDefault();
  });
}
