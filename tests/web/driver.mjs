// Drives a browser by lines of JSON: {id, on, call, args} asks an object to do something, {id, ok} or {id, error} answers.
// Objects: "browser" (context, close), and each page by the name that it was given.
import { createInterface } from 'node:readline';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [programs, executable] = process.argv.slice(2);
const PATIENCE_MS = 60_000; // beside other tests, what draws a map gets a tenth of a processor
const require = createRequire(`${programs}/`);
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const browser = await chromium.launch({ executablePath: executable, args: ['--no-sandbox', '--disable-gpu'] });
const contexts = new Map();
const pages = new Map();

async function open(name, context, options) {
  const isNew = !contexts.has(context);
  if (isNew) contexts.set(context, await browser.newContext({ bypassCSP: false, ...options }));
  const page = await contexts.get(context).newPage();
  if (!isNew) await Promise.all([page.setViewportSize(options.viewport), page.emulateMedia({ colorScheme: options.colorScheme })]);
  page.setDefaultTimeout(PATIENCE_MS);
  const seen = { requests: [], errors: [], dialogs: [] };
  page.on('request', (request) => seen.requests.push(`${request.method()} ${request.url()}`));
  page.on('pageerror', (error) => seen.errors.push(String(error)));
  page.on('console', (message) => { if (message.type() === 'error') seen.errors.push(message.text()); });
  page.on('dialog', (dialog) => { seen.dialogs.push(dialog.message()); dialog.dismiss(); });
  pages.set(name, { page, seen });
}

const special = {
  open,
  close: async (context) => { await contexts.get(context)?.close(); contexts.delete(context); },
  seen: (name) => pages.get(name).seen,
  text: (name, selector) => pages.get(name).page.locator(selector).first().innerText(),
  count: (name, selector) => pages.get(name).page.locator(selector).count(),
  values: (name, selector) => pages.get(name).page.locator(selector).allInnerTexts(),
  // Not waitForFunction, which evaluates strings in the page, against its policy.
  until: async (name, expression) => {
    for (const end = Date.now() + PATIENCE_MS; ;) {
      try { if (await pages.get(name).page.evaluate(expression)) return; } catch (error) { if (Date.now() > end) throw error; }
      if (Date.now() > end) throw new Error(`not within ${PATIENCE_MS} ms`);
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
  },
  wait: (name, selector, state) => pages.get(name).page.locator(selector).first().waitFor({ state }).then(() => null),
  press: (name, keys) => pages.get(name).page.keyboard.press(keys),
  type: (name, text) => pages.get(name).page.keyboard.type(text),
  offline: (context, off) => contexts.get(context).setOffline(off),
  // axe is evaluated in the page's isolated world, so that the page's policy stays as it is.
  axe: async (name, rules) => {
    const { page } = pages.get(name);
    if (!await page.evaluate('Boolean(globalThis.axe)')) await page.evaluate(axe);
    return page.evaluate(async (only) => (await globalThis.axe.run(document, { resultTypes: ['violations'], ...(only.length ? { runOnly: only } : {}) })).violations
      .map(({ id, impact, help, nodes }) => ({ id, impact, help, where: nodes.slice(0, 5).map((node) => node.target.join(' ')) })), rules);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, on, call, args } = JSON.parse(line);
  const answer = (said) => process.stdout.write(`${JSON.stringify({ id, ...said })}\n`);
  const work = on === 'browser' ? special[call](...args) : pages.get(on).page[call](...args);
  Promise.resolve(work).then(
    (result) => answer({ ok: result && typeof result === 'object' && result.constructor !== Object && !Array.isArray(result) ? null : result ?? null }),
    (error) => answer({ error: String(error?.message ?? error) }),
  );
}
await browser.close();
