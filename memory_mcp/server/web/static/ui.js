// What every view's script uses: elements, toasts, dialogs, times.
import { t } from './net.js';

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// el('a', {class: 'chip', href: '/'}, 'text', child): children are text or elements, never HTML.
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, '');
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `/static/icons.svg#${name}`);
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  return svg;
}

// Replace what an element holds by HTML of our server, which has escaped all content.
export function show(root, html) {
  const parsed = new DOMParser().parseFromString(html, 'text/html');
  root.replaceChildren(...parsed.body.childNodes);
  enhance(root);
}

// Tell a screen reader.
export function say(text) {
  $('#said').textContent = '';
  requestAnimationFrame(() => { $('#said').textContent = text; });
}

// A message at the edge; with `undo`, a function that may return what to say, it stays longer and offers to undo.
export function toast(text, { kind = '', undo = null, seconds = undo ? 12 : 5 } = {}) {
  const made = el('div', { class: `toast ${kind}` }, el('span', {}, text));
  const close = () => made.remove();
  if (undo) {
    made.append(el('button', {
      class: 'button small', type: 'button',
      onclick: async () => {
        close();
        try { toast(await undo() ?? t('shell.undone')); } catch (error) { toast(error.message, { kind: 'bad', seconds: 12 }); }
      },
    }, t('shell.undo')));
  }
  made.append(el('button', { class: 'button quiet small icon-only', type: 'button', 'aria-label': t('shell.close'), onclick: close }, icon('close')));
  $('#toasts').append(made);
  let timer = setTimeout(close, seconds * 1000);
  made.addEventListener('pointerenter', () => clearTimeout(timer));
  made.addEventListener('focusin', () => clearTimeout(timer));
  made.addEventListener('pointerleave', () => { timer = setTimeout(close, seconds * 1000); });
  return made;
}

export const complain = (error) => { if (error.name !== 'AbortError' && error.code !== 'signed_out') toast(error.message, { kind: 'bad', seconds: 12 }); };

// if (await confirm({title, text, yes: 'Delete', kind: 'danger'})) …
export function confirm({ title, text = '', yes, kind = 'primary' }) {
  const dialog = $('#confirm');
  $('#confirm-title').textContent = title;
  $('#confirm-text').textContent = text;
  const button = $('#confirm-yes');
  button.textContent = yes;
  button.className = `button ${kind}`;
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true }));
}

// A bar that says what is new and changes nothing until it is asked: news(root, 3, reload) before the list.
// A count of 0: something may be new.
export function news(root, count, show, key = 'shell.new') {
  let bar = $('.news', root);
  if (!bar) {
    bar = el('div', { class: 'news', role: 'status' }, el('span'), el('button', { class: 'button small', type: 'button', onclick: () => { bar.remove(); show(); } }));
    root.prepend(bar);
  }
  bar.firstChild.textContent = count ? t(key, { count }) : t('shell.missed');
  bar.lastChild.textContent = t('shell.show', { count });
  return bar;
}

const STEPS = [[60, 'second', 1], [3600, 'minute', 60], [86400, 'hour', 3600], [604800, 'day', 86400], [2629800, 'week', 604800], [31557600, 'month', 2629800], [Infinity, 'year', 31557600]];
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });

function ago(moment, now = Date.now()) {
  const seconds = (moment - now) / 1000;
  if (Math.abs(seconds) < 10) return relative.format(0, 'second');
  const [, unit, length] = STEPS.find(([most]) => Math.abs(seconds) < most);
  return relative.format(Math.trunc(seconds / length), unit);
}

export function refreshTimes(root = document) {
  for (const time of $$('time[datetime]', root)) {
    const moment = Date.parse(time.dateTime);
    if (!Number.isNaN(moment) && !time.hasAttribute('data-exact')) time.textContent = ago(moment);
  }
}

// What the server's HTML leaves to the script: relative times, lengths of bars, the rest of long contents.
export function enhance(root) {
  refreshTimes(root);
  for (const bar of $$('[data-share]', root)) bar.style.inlineSize = `${Math.max(0, Math.min(1, Number(bar.dataset.share))) * 100}%`;
  for (const content of $$('.content:not(.clamp)', root)) offerInvisible(content);
  for (const button of $$('[data-rest]', root)) {
    button.addEventListener('click', () => {
      let content = button;
      while (!content.matches('.content')) content = content.previousElementSibling;
      content.append(button.dataset.rest);
      button.remove();
    }, { once: true });
  }
}

// Characters that are not seen and may mislead: of no width, or turning the direction of what follows.
const INVISIBLE = /[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]|[\u{e0000}-\u{e007f}]/gu;

function offerInvisible(content) {
  if (content.textContent.search(INVISIBLE) < 0 || content.nextElementSibling?.matches('.invisibles')) return;
  const original = [...content.childNodes];
  const button = el('button', { class: 'button small invisibles', type: 'button', 'aria-pressed': 'false' }, t('shell.invisible'));
  button.addEventListener('click', () => {
    const shown = button.getAttribute('aria-pressed') === 'true';
    if (shown) content.replaceChildren(...original);
    else content.replaceChildren(...original.map((node) => marked(node.cloneNode(true))));
    button.setAttribute('aria-pressed', String(!shown));
    button.textContent = t(shown ? 'shell.invisible' : 'shell.hide_invisible');
  });
  content.after(button);
}

function marked(node) {
  if (node.nodeType !== Node.TEXT_NODE) {
    node.replaceChildren(...[...node.childNodes].map(marked));
    return node;
  }
  const made = document.createDocumentFragment();
  let end = 0;
  for (const found of node.data.matchAll(INVISIBLE)) {
    const code = found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, '0');
    made.append(node.data.slice(end, found.index), el('span', { class: 'invisible' }, `U+${code}`));
    end = found.index + found[0].length;
  }
  made.append(node.data.slice(end));
  return made;
}

export async function copy(text) {
  await navigator.clipboard.writeText(text);
  toast(t('shell.copied'), { seconds: 2 });
}

export function debounce(work, ms) {
  let timer;
  return (...given) => { clearTimeout(timer); timer = setTimeout(() => work(...given), ms); };
}

// A colour of page.css as a canvas wants it: colour('--accent'). It differs by theme: listen to themechange on document.
export function colour(name) {
  const probe = el('span', { hidden: true });
  document.body.append(probe);
  probe.style.color = `var(${name})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
