// The router: addresses are real, what they show is fetched from /view and put into <main>.
import { Failure, ask, hasSecret, loadTexts, may, onSignedOut, act, resume, session, signIn, signOut, t, view } from './net.js';
import * as live from './live.js';
import * as ui from './ui.js';
import { bindKeys } from './keys.js';

const { $, $$, el } = ui;
const LOADING_MS = 150;
const main = $('#main');
let leave = () => {};
let loading = null;
let shown = '';

const address = () => location.pathname + location.search;

// Whether what was typed and not saved may be lost; a view says by page.unsaved() whether there is any.
async function mayLeave() {
  if (!page.unsaved()) return true;
  return ui.confirm({ title: t('shell.sure_leave'), yes: t('shell.discard'), kind: 'danger' });
}
const nothing = () => false;

// Go to an address of the page: go('/memories/1'), go('/?query=x', {replace: true}).
export async function go(path, { replace = false, keep = false } = {}) {
  if (!keep && !await mayLeave()) return;
  if (path !== address()) history[replace ? 'replaceState' : 'pushState']({}, '', path);
  if (!keep) await load();
  else shown = address();
}

function skeleton() {
  main.replaceChildren(el('div', { class: 'skeleton', 'aria-label': t('shell.loading') }, ...Array.from({ length: 5 }, () => el('span'))));
}

// Show what the address is of; `focus` moves to its heading, as a new page would.
async function load({ focus = true, position = 0 } = {}) {
  const path = address();
  loading?.abort();
  loading = new AbortController();
  const { signal } = loading;
  const waiting = setTimeout(skeleton, LOADING_MS);
  main.setAttribute('aria-busy', 'true');
  try {
    const html = await view(path, { signal });
    const script = await scriptOf(html); // first, so that no button is shown before it works
    if (signal.aborted) return;
    clearTimeout(waiting);
    end();
    ui.show(main, html);
    shown = path;
    mount(script);
    window.scrollTo(0, position);
    arrive(focus);
  } catch (error) {
    clearTimeout(waiting);
    if (error.name === 'AbortError' || error.code === 'signed_out') return;
    end();
    shown = path;
    fail(error);
  } finally {
    if (!signal.aborted) main.removeAttribute('aria-busy');
  }
}

function end() {
  leave();
  leave = () => {};
  page.unsaved = nothing;
}

async function scriptOf(html) {
  const named = /^\s*<[^>]* data-script="([^"]+)"/.exec(html);
  return named && import(named[1]);
}

function mount(script) {
  const root = $('.view', main);
  for (const link of $$('#nav a')) {
    if (link.dataset.nav === (root?.querySelector('[data-nav-as]')?.dataset.navAs ?? root?.dataset.view)) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  for (const made of $$('[data-needs]', main)) if (!may(made.dataset.needs)) made.remove();
  if (script) leave = script.mount(root, page) ?? (() => {});
}

function arrive(focus) {
  const heading = $('h1', main);
  document.title = heading ? `${heading.textContent.trim()} · memory-mcp` : 'memory-mcp';
  if (!focus) return;
  heading?.setAttribute('tabindex', '-1');
  if (!main.contains(document.activeElement) && document.activeElement?.id !== 'find') heading?.focus({ preventScroll: true });
  ui.say(heading?.textContent ?? '');
}

function fail(error) {
  const missing = error.status === 404;
  const isForbidden = error.status === 403;
  const box = el('div', { class: 'view' }, el('div', { class: 'empty bad', role: 'alert' },
    ui.icon('warn'),
    el('h1', { tabindex: '-1' }, t(missing ? 'shell.not_found' : isForbidden ? 'shell.forbidden' : 'shell.failed')),
    el('p', {}, error instanceof Failure && error.message ? error.message : t('shell.failed_hint')),
    el('div', { class: 'actions' }, missing || isForbidden ? el('p', { class: 'dim' }, t('shell.not_found_hint')) : el('button', { class: 'button primary', type: 'button', onclick: () => load() }, t('shell.retry')))));
  main.replaceChildren(box);
  arrive(true);
  if (!(error instanceof Failure)) throw error;
}

// What a view's script gets.
const page = { ask, view, act, t, may, session, go, unsaved: nothing, mayLeave, reload: (options) => load({ focus: false, position: window.scrollY, ...options }), live, ui };

function isOurs(link, event) {
  return link && link.origin === location.origin && !link.target && !link.hasAttribute('download')
    && !event.defaultPrevented && event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
}

function closeMenu() {
  document.body.classList.remove('menu-open');
  $('#menu').setAttribute('aria-expanded', 'false');
}

document.addEventListener('click', (event) => {
  const close = event.target.closest?.('[data-close]');
  if (close) close.closest('dialog').close();
  const link = event.target.closest?.('a[href]');
  if (!isOurs(link, event)) return;
  if (link.hash && link.pathname + link.search === address()) return;
  event.preventDefault();
  closeMenu();
  go(link.pathname + link.search);
});
window.addEventListener('popstate', async () => {
  if (address() === shown) return;
  if (await mayLeave()) load();
  else history.pushState({}, '', shown);
});
window.addEventListener('beforeunload', (event) => { if (page.unsaved()) event.preventDefault(); });

$('#finder').addEventListener('submit', (event) => {
  event.preventDefault();
  const query = $('#find').value.trim();
  go(query ? `/?${new URLSearchParams({ query })}` : '/');
});
$('#menu').addEventListener('click', () => {
  const open = document.body.classList.toggle('menu-open');
  $('#menu').setAttribute('aria-expanded', String(open));
});
$('#theme').addEventListener('click', () => {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.dataset.theme = dark ? 'light' : 'dark';
  localStorage.setItem('theme', document.documentElement.dataset.theme);
  document.dispatchEvent(new Event('themechange'));
});
$('#help').addEventListener('click', () => $('#keys').showModal());
$('#sign-out').addEventListener('click', async () => {
  if (!await mayLeave()) return;
  try { await signOut(); } catch (error) { ui.complain(error); return; }
  live.stop();
  end();
  main.replaceChildren();
  $('#toasts').replaceChildren();
  askToSignIn(t('session.signed_out'));
});

// The dialog lies over the page, so that what was typed stays where it is.
function askToSignIn(why) {
  const dialog = $('#signed-out');
  $('#signed-out-why').textContent = why;
  live.stop();
  if (!dialog.open) dialog.showModal();
}
$('#signed-out').addEventListener('cancel', (event) => event.preventDefault());
onSignedOut(() => askToSignIn(`${t('session.ended')}.${$('form', main) ? ` ${t('session.kept')}` : ''}`));

$('#sign-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = event.target;
  $('#sign-in-error').textContent = '';
  try { await signIn({ token: form.token.value }); } catch (error) { $('#sign-in-error').textContent = error.message; return; }
  form.reset();
  $('#signed-out').close();
  signedIn();
  if (!$('.view', main)) await load();
});
// Another tab has signed in: this one goes on.
window.addEventListener('storage', async (event) => {
  if (event.key !== 'page-secret' || !event.newValue) return;
  await resume();
  $('#signed-out').close();
  live.stop(); // it was the stream of the session before
  signedIn();
  if (!$('.view', main)) await load();
});

function signedIn() {
  for (const link of $$('#nav a[data-scope]')) link.parentElement.hidden = !may(link.dataset.scope);
  $('#who').hidden = false;
  $('#who-name').textContent = session.bound ? `${session.name} · ${session.namespace}` : session.name;
  live.start();
}

// A link that was used or is too old does no harm to a session that goes on.
async function signInBy(code) {
  try { await signIn({ code }); } catch (error) {
    if (!hasSecret()) throw error;
    try { await resume(); } catch { throw error; }
  }
}

async function begin() {
  await loadTexts();
  const code = location.hash.slice(1);
  if (location.pathname === '/sign-in') history.replaceState({}, '', '/');
  bindKeys(page);
  setInterval(() => ui.refreshTimes(), 60000);
  try {
    if (code && location.pathname === '/' && code.length > 20) {
      history.replaceState({}, '', '/');
      await signInBy(code);
    } else if (hasSecret()) await resume();
    else { askToSignIn(t('session.first')); return; }
  } catch (error) {
    askToSignIn(error.message);
    return;
  }
  signedIn();
  await load({ focus: false });
}
begin();
