// The session and the one function through which everything is fetched.

const SECRET = 'page-secret';

export const session = { csrf: '', name: '', scopes: [], namespace: '', bound: false, read_only: false };
let texts = {};
let signedOut = () => {};

export class Failure extends Error {
  constructor(message, status, code = '') {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const onSignedOut = (listener) => { signedOut = listener; };
export const hasSecret = () => Boolean(localStorage.getItem(SECRET));
export const may = (scope) => session.scopes.includes(scope);

// t('search.found', {count: 3}): a text of the catalogue.
export function t(key, values = {}) {
  let found = key.split('.').reduce((at, part) => at?.[part], texts);
  if (found && typeof found === 'object') found = found[values.count === 1 ? 'one' : 'other'];
  if (typeof found !== 'string') throw new Error(`no text ${key}`);
  return found.replace(/\{(\w+)\}/g, (_, name) => (typeof values[name] === 'number' ? values[name].toLocaleString('en') : values[name]));
}

export async function loadTexts() {
  texts = await (await fetch('/texts.json')).json();
}

// Everything is fetched here: with the secret, a change with the CSRF token; what goes wrong is a Failure.
export async function ask(path, { method = 'GET', body, signal, headers = {} } = {}) {
  const all = { 'X-Page-Secret': localStorage.getItem(SECRET) ?? '', ...headers };
  if (method !== 'GET') all['X-Page-Csrf'] = session.csrf;
  let sent = body;
  if (body !== undefined && !(body instanceof Blob) && !(body instanceof FormData) && typeof body !== 'string') {
    all['Content-Type'] = 'application/json';
    sent = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, { method, body: sent, signal, headers: all, credentials: 'same-origin' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Failure(t('shell.offline'), 0, 'offline');
  }
  if (response.ok) return response;
  let said = {};
  try { said = await response.json(); } catch { /* no JSON: the status says it */ }
  const failure = new Failure(said.error ?? `${response.status} ${response.statusText}`, response.status, said.code);
  if (failure.code === 'signed_out') signedOut(failure);
  throw failure;
}

// A view's HTML: view('/memories/1'), or a part of it: view('/?q=x&part=results').
export const view = async (path, options) => (await ask(`/view${path}`, options)).text();
// What a body holds, a line of JSON at a time, as it arrives.
export async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ''; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const all = (rest + value).split('\n');
    rest = all.pop();
    for (const line of all) yield JSON.parse(line);
  }
}

// A change: await act('memory.edit', {id, content}) gives {message, data, html}.
export const act = async (name, body = {}, options = {}) => (await ask(`/do/${name}`, { method: 'POST', body, ...options })).json();

export async function resume() {
  Object.assign(session, await (await ask('/session')).json());
}

export async function signIn(given) {
  const said = await (await ask('/sign-in', { method: 'POST', body: given })).json();
  localStorage.setItem(SECRET, said.secret);
  delete said.secret;
  Object.assign(session, said);
}

export async function signOut() {
  await ask('/sign-out', { method: 'POST' });
  localStorage.removeItem(SECRET);
}
