// Characters that show nothing, or turn the direction of what follows: they are counted, and made visible on request.
import { el } from './ui.js';
import { t } from './net.js';

const UNSEEN = /[\p{Cf}\p{Co}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu;
const MOST = 20000;

const code = (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}`;

function pieces(text) {
  const made = [];
  let end = 0;
  for (const match of text.matchAll(UNSEEN)) {
    made.push(text.slice(end, match.index), el('span', { class: 'unseen-one' }, code(match[0])));
    end = match.index + match[0].length;
  }
  return [...made, text.slice(end)];
}

// Put a button before a content that holds such characters.
export function offerInvisible(content) {
  const text = content.textContent;
  const found = text.slice(0, MOST).match(UNSEEN)?.length ?? 0;
  if (!found) return;
  const before = [...content.childNodes];
  const button = el('button', {
    class: 'button small quiet', type: 'button', 'aria-pressed': 'false',
    onclick: () => {
      const shown = button.getAttribute('aria-pressed') === 'true';
      content.replaceChildren(...(shown ? before : pieces(content.textContent)));
      button.setAttribute('aria-pressed', String(!shown));
    },
  }, `${t('shell.invisible')} (${found.toLocaleString('en')})`);
  content.before(button);
}
