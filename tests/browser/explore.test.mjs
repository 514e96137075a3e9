// node test/explore.test.mjs URL [CHROMIUM] [FOLDER]
// Drives the explorer on any server that speaks its API (the real program or mock.py)
// and writes screenshots into FOLDER (default: test/shots). Exit status 1 at a failure.
import { mkdirSync } from 'node:fs';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';

const base = (process.argv[2] || '').replace(/\/$/, '');
if (!base) { console.error('usage: node explore.test.mjs URL [CHROMIUM] [FOLDER]'); process.exit(2); }
const chromium = process.argv[3] || '/usr/bin/chromium';
const folder = process.argv[4] || join(dirname(fileURLToPath(import.meta.url)), 'shots');
mkdirSync(folder, { recursive: true });

let failures = 0, checks = 0;
const ok = (cond, what, more = '') => {
  checks++;
  if (!cond) { failures++; console.log('FAIL  ' + what + (more !== '' ? '\n      ' + String(more).slice(0, 600) : '')); } else console.log('ok    ' + what);
};
const same = (a, b, what) => ok(JSON.stringify(a) === JSON.stringify(b), what, 'got ' + JSON.stringify(a) + '\n      expected ' + JSON.stringify(b));
const api = async (path, params) => {
  const r = await fetch(base + '/api/' + path + '?' + new URLSearchParams(params));
  return { status: r.status, body: await r.json() };
};
const pause = ms => new Promise(r => setTimeout(r, ms));

const browser = await puppeteer.launch({ executablePath: chromium, headless: true, args: ['--no-sandbox', '--disable-gpu', '--force-color-profile=srgb'] });
const noise = [];
async function open(hash = '', { width = 1280, height = 860, dark = false, scale = 1, touch = false, intercept } = {}) {
  const page = await browser.newPage();
  await page.setViewport({ width, height, deviceScaleFactor: scale, hasTouch: touch, isMobile: touch });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }]);
  page.on('pageerror', e => noise.push('pageerror: ' + e.message));
  page.on('dialog', d => { noise.push('dialog: ' + d.message()); d.dismiss(); });
  page.on('console', m => { if (m.type() === 'error' && !/status of (4|5)\d\d|net::ERR_FAILED|ERR_CONNECTION/.test(m.text())) noise.push('console: ' + m.text()); });
  if (intercept) {
    await page.setRequestInterception(true);
    page.on('request', async r => {
      const u = new URL(r.url());
      const a = u.pathname.startsWith('/api/') ? await intercept(u.pathname.slice(5), Object.fromEntries(u.searchParams), u) : null;
      if (!a) r.continue();
      else if (a.abort) r.abort('failed');
      else r.respond({ status: a.status || 200, contentType: 'application/json', body: JSON.stringify(a.body) });
    });
  }
  await page.goto(base + '/' + hash, { waitUntil: 'load' });
  return page;
}
// The page sets data-shown on <html> to the number of the route it has shown.
const settled = page => page.waitForFunction(() => document.querySelector('#result') && document.querySelector('#result').firstChild &&
  !document.querySelector('#result').hasAttribute('aria-busy') && document.documentElement.dataset.shown, { timeout: 30000 });
const mapped = (page, pane = 0) => page.waitForFunction(p => {
  const m = document.querySelector('#pane' + p + ' .lm-map');
  return m && m.lexmillMap && !m.lexmillMap.state().moving && m.lexmillMap.state().width > 0;
}, { timeout: 600000, polling: 100 }, pane);
const words = (page, sel = '#result tr[data-word]') => page.$$eval(sel, l => l.map(e => e.dataset.word));
const headIs = (page, w) => page.waitForFunction(x => { const e = document.querySelector('#result .head'); return e && e.textContent === x; }, { timeout: 20000 }, w);
const shot = (page, name, full = false) => page.screenshot({ path: join(folder, name + '.png'), fullPage: full });
const mapState = (page, pane = 0) => page.evaluate(p => document.querySelector('#pane' + p + ' .lm-map').lexmillMap.state(), pane);
const sideways = page => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
const overlaps = s => {
  let bad = 0;
  for (let i = 0; i < s.boxes.length; i++) {
    for (let j = 0; j < i; j++) {
      const a = s.boxes[i], b = s.boxes[j];
      if (a.x0 < b.x1 - 1 && a.x1 > b.x0 + 1 && a.y0 < b.y1 - 1 && a.y1 > b.y0 + 1) bad++;
    }
  }
  return bad;
};

try {
  const models = (await api('models', {})).body;
  console.log('models: ' + models.map(m => m.name + ' (' + m.words + ')').join(', '));
  const two = models.length > 1;

  // ---- completions -------------------------------------------------------
  let page = await open('#v=near');
  await settled(page);
  await page.click('#word');
  await page.type('#word', 'su', { delay: 20 });
  await page.waitForFunction(() => document.querySelectorAll('#word-options li').length > 0);
  await pause(200);
  const list = await page.$$eval('#word-options li', l => l.map(e => e.textContent));
  const want = (await api('complete', { model: 0, prefix: 'su', count: 8 })).body;
  same(list, want.map(w => (w.length > 80 ? w.slice(0, 79) + '…' : w)), 'completions of "su" are those of the server');
  await shot(page, 'completions');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  same(await page.$eval('#word', e => e.value), want[1], 'arrow keys fill in the completion');
  ok(await page.$eval('#word', e => e.getAttribute('aria-activedescendant') === 'word-options1'), 'the active completion is announced');
  await page.keyboard.press('Escape');
  same(await page.$eval('#word', e => e.value), 'su', 'escape restores what was typed');
  ok(await page.$eval('#word-options', e => e.hidden), 'escape closes the completions');
  await page.keyboard.type('n');
  await page.waitForFunction(() => !document.querySelector('#word-options').hidden);
  await page.keyboard.press('Enter');

  // ---- neighbours --------------------------------------------------------
  await headIs(page, 'sun');
  ok((await page.evaluate(() => location.hash)).includes('w=sun'), 'the hash holds the word');
  const sun = (await api('neighbors', { model: 0, word: 'sun', count: 20 })).body;
  same(await words(page), sun.neighbors.map(x => x.word), 'neighbours are those of the server, in order');
  const cos = await page.$eval('#result tbody tr .cos', e => Number(e.textContent.replace('\u2212', '-')));
  ok(Math.abs(cos - sun.neighbors[0].cosine) < 6e-4, 'the cosine is shown', cos);
  const bars = await page.$$eval('#result .bar i', l => l.map(e => e.getBoundingClientRect().width));
  ok(bars.every((b, i) => i === 0 || b <= bars[i - 1] + .5) && bars[0] > 20, 'bars shrink with the cosine', bars);
  await mapped(page);
  let s = await mapState(page);
  ok(s.focus === 'sun' && sun.neighbors.every(x => s.highlighted.includes(x.word)), 'the map marks the word and its neighbours', JSON.stringify(s.highlighted));
  ok(s.labels > 10, 'the map has labels', s.labels);
  same(overlaps(s), 0, 'labels of the map do not overlap');
  await shot(page, 'desktop-light');

  // ---- clicking, back, number --------------------------------------------
  const plain = sun.neighbors.find(x => /^[a-z]+$/.test(x.word)).word;
  await page.evaluate(w => [...document.querySelectorAll('#result tr')].find(t => t.dataset.word === w).querySelector('a').click(), plain);
  await headIs(page, plain);
  ok((await words(page)).length === 20, 'a neighbour leads to its own neighbours');
  await page.goBack();
  await headIs(page, 'sun');
  same(await page.$eval('#word', e => e.value), 'sun', 'the back button restores the word');
  await page.goForward();
  await headIs(page, plain);
  await page.$eval('#count', e => { e.value = '7'; e.dispatchEvent(new Event('change')); });
  await page.waitForFunction(() => document.querySelectorAll('#result tr[data-word]').length === 7);
  ok((await page.evaluate(() => location.hash)).includes('n=7'), 'the number of neighbours goes into the hash');
  await page.close();
  page = await open('#w=moon&n=5');
  await headIs(page, 'moon');
  same((await words(page)).length, 5, 'a link with w and n opens in that state');

  // ---- the map -----------------------------------------------------------
  await mapped(page);
  const before = await mapState(page);
  await page.click('#pane0 .lm-map input');
  await page.type('#pane0 .lm-map input', 'wate');
  await page.waitForFunction(() => document.querySelectorAll('#pane0 .lm-map .options li').length > 0);
  ok((await mapState(page)).matches > 0, 'map search counts its matches');
  await page.keyboard.type('r');
  await page.keyboard.press('Enter');
  await pause(900);
  await mapped(page);
  s = await mapState(page);
  same(s.selected, 'water', 'map search selects the word');
  const at = await page.evaluate(() => document.querySelector('#pane0 .lm-map').lexmillMap.screen('water'));
  ok(Math.abs(at.x - s.width / 2) < 3 && Math.abs(at.y - s.height / 2) < 3 || s.zoom > before.zoom, 'map search flies to the word', JSON.stringify(at));
  ok((await page.$eval('#pane0 .lm-live', e => e.textContent)).includes('water'), 'the live text names the word');
  await shot(page, 'map-search');
  await page.click('#pane0 .lm-zoom button:nth-child(3)');
  await pause(900);
  const z0 = (await mapState(page)).zoom;
  await page.click('#pane0 .lm-zoom button:nth-child(2)');
  await pause(500);
  const z1 = (await mapState(page)).zoom;
  ok(z1 > z0 * 1.3, 'the + button zooms', z0 + ' → ' + z1);
  const box = await (await page.$('#pane0 canvas')).boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.wheel({ deltaY: -300 });
  await pause(200);
  ok((await mapState(page)).zoom > z1, 'the wheel zooms');
  const x0 = (await mapState(page)).x;
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 - 120, box.y + box.height / 2, { steps: 6 });
  await page.mouse.up();
  await pause(100);
  ok((await mapState(page)).x > x0, 'dragging pans');
  await page.focus('#pane0 canvas');
  const z2 = (await mapState(page)).zoom;
  await page.keyboard.press('-');
  await pause(500);
  ok((await mapState(page)).zoom < z2, 'the keyboard zooms');
  await page.keyboard.press('.');
  ok((await mapState(page)).selected, 'the keyboard steps through the labels');
  s = await mapState(page);
  same(overlaps(s), 0, 'labels do not overlap after zooming');
  const target = s.boxes.find(b => /^[a-z]+$/.test(b.word) && b.word !== 'moon' && b.x0 > 20 && b.x1 < s.width - 20 && b.y0 > 20 && b.y1 < s.height - 20);
  await page.mouse.click(box.x + (target.x0 + target.x1) / 2, box.y + (target.y0 + target.y1) / 2);
  await headIs(page, target.word);
  ok(true, 'a click on the map opens the word');
  const pinch = await page.evaluate(async () => {
    const m = document.querySelector('#pane0 .lm-map').lexmillMap, c = document.querySelector('#pane0 canvas'), r = c.getBoundingClientRect();
    await new Promise(f => setTimeout(f, 900));
    c.setPointerCapture = () => {};
    const ev = (t, id, x) => c.dispatchEvent(new PointerEvent(t, { pointerId: id, pointerType: 'touch', clientX: r.left + x, clientY: r.top + 200, button: 0, bubbles: true }));
    const z = m.state().zoom;
    ev('pointerdown', 11, 200); ev('pointerdown', 12, 260);
    for (let i = 1; i <= 10; i++) { ev('pointermove', 11, 200 - 3 * i); ev('pointermove', 12, 260 + 3 * i); }
    ev('pointerup', 11, 170); ev('pointerup', 12, 290);
    return m.state().zoom / z;
  });
  ok(pinch > 1.8 && pinch < 2.2, 'a pinch to twice the distance zooms twice', pinch);
  const speed = await page.evaluate(async () => {
    const m = document.querySelector('#pane0 .lm-map').lexmillMap;
    m.home();
    await new Promise(r => setTimeout(r, 900));
    const f0 = m.state().frames, t0 = performance.now();
    const c = document.querySelector('#pane0 canvas'), r = c.getBoundingClientRect();
    const ev = (t, x) => c.dispatchEvent(new PointerEvent(t, { pointerId: 1, clientX: r.left + x, clientY: r.top + 200, button: 0, bubbles: true }));
    c.setPointerCapture = () => {};
    ev('pointerdown', 200);
    for (let i = 0; i < 60; i++) { ev('pointermove', 200 + i * 2); await new Promise(requestAnimationFrame); }
    ev('pointerup', 320);
    return { frames: m.state().frames - f0, ms: performance.now() - t0, frame: m.state().frameMs };
  });
  console.log('      pan: ' + speed.frames + ' frames in ' + speed.ms.toFixed(0) + ' ms, drawing ' + speed.frame.toFixed(2) + ' ms a frame');
  ok(speed.frame < 16, 'a frame is drawn in under 16 ms', speed.frame);
  await page.close();

  // ---- unknown word, errors ----------------------------------------------
  page = await open('#w=sunn' + 'yx');
  await page.waitForSelector('[data-unknown]');
  ok((await page.$eval('[data-unknown]', e => e.textContent)).includes('sunnyx'), 'an unknown word is named');
  const r = await api('neighbors', { model: 0, word: 'sunnyx', count: 5 });
  const sugg = r.body.suggestions || [];
  same(await page.$$eval('[data-unknown] .chips a', l => l.map(e => e.textContent)), sugg, 'its suggestions are offered');
  await shot(page, 'unknown');
  if (sugg.length) {
    await page.click('[data-unknown] .chips a');
    await headIs(page, sugg[0]);
    ok(true, 'a suggestion leads to its word');
  }
  await page.close();
  let broken = true;
  page = await open('#w=sun', { intercept: p => (p === 'neighbors' && broken ? { status: 500, body: { error: 'the disk is on fire' } } : null) });
  await page.waitForSelector('[data-error]');
  ok((await page.$eval('[data-error]', e => e.textContent)).includes('the disk is on fire'), 'an error of the server is shown');
  await shot(page, 'error');
  broken = false;
  await page.click('[data-error] button');
  await headIs(page, 'sun');
  ok(true, 'trying again works');
  await page.close();
  page = await open('#w=sun', { intercept: p => (p === 'neighbors' ? { abort: true } : null) });
  await page.waitForSelector('[data-error]');
  ok(true, 'a server that does not answer gives an error state');
  await page.close();

  // ---- slow map ----------------------------------------------------------
  let polls = 0;
  page = await open('#w=sun', { intercept: p => (p === 'map' && polls++ < 2 ? { status: 202, body: { progress: .4 } } : null) });
  await headIs(page, 'sun');
  await page.waitForFunction(() => /40/.test((document.querySelector('#pane0 .wait') || {}).textContent || ''));
  ok((await words(page)).length === 20, 'neighbours work while the map is being computed');
  ok(await page.$eval('#pane0 progress', e => Math.abs(e.value - .4) < 1e-6), 'progress of the map is shown');
  await shot(page, 'map-progress');
  await mapped(page);
  ok((await mapState(page)).focus === 'sun', 'the map marks the word once it arrives');
  await page.close();

  // ---- analogy -----------------------------------------------------------
  page = await open('#w=sun');
  await headIs(page, 'sun');
  await page.click('#tab-analogy');
  await page.waitForSelector('#analogy-form:not([hidden])');
  for (const [k, w] of [['a', 'man'], ['b', 'king'], ['c', 'woman']]) {
    await page.click('#' + k);
    await page.type('#' + k, w);
    await page.keyboard.press('Escape');
  }
  await page.click('#analogy-form button.main');
  const add = (await api('analogy', { model: 0, a: 'man', b: 'king', c: 'woman', method: '3cosadd', count: 10 })).body.answers;
  await headIs(page, add[0].word);
  same(await words(page), add.map(x => x.word), 'answers of 3CosAdd are those of the server');
  ok(/a=man&b=king&c=woman/.test(await page.evaluate(() => location.hash)), 'the hash holds the analogy');
  await mapped(page);
  await pause(800);
  s = await mapState(page);
  ok(['man', 'king', 'woman', add[0].word].every(w => s.highlighted.includes(w)), 'the map marks the analogy');
  await shot(page, 'analogy');
  await page.click('input[name=method][value="3cosmul"]');
  const mul = (await api('analogy', { model: 0, a: 'man', b: 'king', c: 'woman', method: '3cosmul', count: 10 })).body.answers;
  await page.waitForFunction(w => { const e = document.querySelector('#result .facts'); return e && /3CosMul/.test(e.textContent); }, {}, mul[0].word);
  same(await words(page), mul.map(x => x.word), 'answers of 3CosMul are those of the server');
  await page.goBack();
  await page.waitForFunction(() => /3CosAdd/.test(document.querySelector('#result .facts').textContent));
  ok(await page.$eval('input[value="3cosadd"]', e => e.checked), 'the back button restores the method');
  await page.close();
  page = await open('#a=man&b=kingzzq&c=woman');
  await page.waitForSelector('[data-unknown]');
  ok((await page.$eval('[data-unknown]', e => e.textContent)).includes('kingzzq'), 'an unknown word of an analogy is named');
  await page.close();

  // ---- hostile words -----------------------------------------------------
  const evil = ['<script>window.pwned=1</script>', '"><img src=x onerror=window.pwned=1>', '<svg onload=window.pwned=1>', '👩‍👩‍👧‍👦', 'שלום עולם', '\u202eevil',
    'new york', 'x'.repeat(1000), '&amp;<b>', '%41%', 'c++', 'a#b&w=c', '__proto__', 'constructor', 'line\nbreak'];
  const pt = (w, i) => ({ word: w, cosine: .9 - i * .05, rank: i + 1, count: 1000 * i, x: .2 + .04 * i, y: .2 + .17 * (i % 4) });
  const hostile = (p, q) => (p === 'complete' ? { body: evil.slice(0, 8) }
    : p === 'neighbors' ? (evil.includes(q.word) || q.word === 'sun' ? { body: { ...pt(q.word, 2), known: true, neighbors: evil.filter(w => w !== q.word).map(pt) } }
      : { status: 404, body: { error: 'unknown', suggestions: evil } })
    : p === 'analogy' ? { body: { answers: evil.map((w, i) => ({ ...pt(w, i), score: .9 - i * .05 })) } }
    : p === 'map' ? { body: { words: evil, x: evil.map((w, i) => pt(w, i).x), y: evil.map((w, i) => pt(w, i).y), counts: null } } : null);
  page = await open('#w=sun', { intercept: hostile });
  await headIs(page, 'sun');
  same(await words(page), evil, 'hostile words are shown as they are');
  same(await page.$$eval('#result td.w', l => l.map(e => e.textContent)), evil, 'their text is theirs');
  await mapped(page);
  await pause(700);
  ok((await sideways(page)) <= 0, 'a word of 1 000 bytes does not widen the page', await sideways(page));
  await shot(page, 'hostile');
  for (const w of evil) {
    await page.evaluate(x => [...document.querySelectorAll('#result tr[data-word]')].find(t => t.dataset.word === x).querySelector('a').click(), w);
    await headIs(page, w);
    await page.goBack();
    await headIs(page, 'sun');
  }
  ok(true, 'every hostile word survives the hash and the back button');
  await page.click('#word', { count: 3 });
  await page.type('#word', '<');
  await page.waitForFunction(() => document.querySelectorAll('#word-options li').length > 0);
  await page.goto(base + '/#w=' + encodeURIComponent('<img src=x onerror=window.pwned=1>zz'));
  await page.waitForSelector('[data-unknown]');
  ok(await page.evaluate(() => window.pwned === undefined && !document.querySelector('#result img, #result script, .options script')), 'nothing hostile ran or became an element');
  await page.close();
  page = await open('#w=' + encodeURIComponent('x'.repeat(1000)), { intercept: hostile, width: 360, height: 740 });
  await headIs(page, 'x'.repeat(1000));
  ok((await sideways(page)) <= 0, 'nor does it at 360 px', await sideways(page));
  await shot(page, 'hostile-phone', true);
  await page.close();
  for (const w of ['<script>window.pwned=1</script>', 'new york', 'c++']) {      // when the server itself has them
    const d = await api('neighbors', { model: 0, word: w, count: 5 });
    if (d.status !== 200 || d.body.known === false) continue;
    page = await open('#w=' + encodeURIComponent(w));
    await headIs(page, w);
    ok(await page.evaluate(() => window.pwned === undefined), 'the server’s own word ' + w);
    await page.close();
  }

  // ---- dark, phone -------------------------------------------------------
  page = await open('#w=sun&n=20', { dark: true });
  await headIs(page, 'sun');
  await mapped(page);
  await pause(800);
  const lum = c => { const m = c.startsWith('#') ? c.match(/\w\w/g).map(v => parseInt(v, 16)) : c.match(/\d+/g).map(Number); return (m[0] + m[1] + m[2]) / 765; };
  ok(lum(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)) < .2, 'dark mode is dark');
  const darkBack = (await mapState(page)).background;
  const corner = () => page.evaluate(() => Array.from(document.querySelector('#pane0 canvas').getContext('2d').getImageData(1, 1, 1, 1).data.slice(0, 3)).join());
  const d0 = await corner();
  await shot(page, 'desktop-dark');
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }]);
  await pause(300);
  const d1 = await corner();
  ok(lum('rgb(' + d0 + ')') < .2 && lum('rgb(' + d1 + ')') > .8, 'the map repaints when the scheme changes', d0 + ' / ' + d1 + ' / ' + darkBack);
  await page.close();
  for (const [hash, name] of [['#w=sun&n=12', 'phone'], ['#a=man&b=king&c=woman', 'phone-analogy'], ['#v=near', 'phone-start']]) {
    page = await open(hash, { width: 360, height: 740, scale: 2, touch: true });
    await settled(page);
    await mapped(page);
    await pause(800);
    ok((await sideways(page)) <= 0, name + ': 360 px without scrolling sideways', await sideways(page));
    await shot(page, name, true);
    if (name === 'phone-start') {
      await page.type('#word', 'inter');
      await page.waitForFunction(() => document.querySelectorAll('#word-options li').length > 0);
      ok((await sideways(page)) <= 0, name + ': nor with completions open', await sideways(page));
      await shot(page, 'phone-completions');
    }
    await page.close();
  }

  // ---- print -------------------------------------------------------------
  page = await open('#w=sun&n=20', { dark: true });
  await headIs(page, 'sun');
  await mapped(page);
  await pause(800);
  await page.evaluate(() => { window.seen = null; addEventListener('beforeprint', () => { window.seen = document.querySelector('#pane0 .lm-map').lexmillMap.state(); }); });
  await page.pdf({ path: join(folder, 'explore-print.pdf'), preferCSSPageSize: true });
  const seen = await page.evaluate(() => window.seen);
  ok(seen && seen.printing && lum(seen.background) > .9, 'the map is drawn in light colours for printing', JSON.stringify(seen && seen.background));
  await pause(200);
  s = await mapState(page);
  ok(!s.printing && lum(s.background) < .3, 'and dark again afterwards');
  await page.close();

  // ---- compare -----------------------------------------------------------
  // With one model, a second is made up from the first one's answers.
  const fake = two ? undefined : async (p, q, u) => {
    if (p === 'models') return { body: [models[0], { ...models[0], name: models[0].name + '-copy' }] };
    if (q.model !== '1') return null;
    u.searchParams.set('model', '0');
    const r2 = await fetch(u);
    const body = await r2.json();
    if (p === 'neighbors' && body.neighbors) body.neighbors = body.neighbors.filter((x, i) => i % 3 !== 1);
    return { status: r2.status, body };
  };
  page = await open('#w=sun&n=20', { intercept: fake });
  await headIs(page, 'sun');
  ok(await page.$eval('#tab-compare', e => !e.hidden), 'with two models there is a Compare tab');
  await page.click('#tab-compare');
  await page.waitForSelector('.pair');
  await settled(page);
  const left = await words(page, '.pair .first tr[data-word]'), right = await words(page, '.pair .second tr[data-word]');
  same(left, sun.neighbors.map(x => x.word), 'compare: the first list is that of the first model');
  if (two) same(right, (await api('neighbors', { model: 1, word: 'sun', count: 20 })).body.neighbors.map(x => x.word), 'compare: the second list is that of the second');
  const both = left.filter(w => right.includes(w));
  const marked = await words(page, '.pair .first tr.shared');
  same(marked, both, 'compare: shared neighbours are marked');
  const jac = both.length / new Set(left.concat(right)).size;
  ok((await page.$eval('#overlap', e => e.textContent)).includes(jac.toFixed(2)), 'compare: Jaccard ' + jac.toFixed(2));
  await mapped(page, 0);
  await mapped(page, 1);
  await pause(800);
  ok((await mapState(page, 0)).focus === 'sun' && (await mapState(page, 1)).focus === 'sun', 'compare: both maps mark the word');
  await shot(page, 'compare', true);
  await page.reload();
  await page.waitForSelector('.pair');
  ok(true, 'compare: the hash brings it back');
  await page.close();
  page = await open('#w=sun&v=compare&n=15', { dark: true, intercept: fake });
  await page.waitForSelector('.pair');
  await mapped(page, 1);
  await pause(900);
  await shot(page, 'compare-dark');
  await page.close();
  page = await open('#w=sun&v=compare&n=15', { width: 360, height: 740, scale: 2, touch: true, intercept: fake });
  await page.waitForSelector('.pair');
  await mapped(page, 1);
  await pause(900);
  ok((await sideways(page)) <= 0, 'compare: 360 px without scrolling sideways', await sideways(page));
  await shot(page, 'phone-compare', true);
  await page.close();
  page = await open('', { intercept: fake });
  await settled(page);
  await mapped(page);
  await pause(500);
  await shot(page, 'start');
  await page.close();

  same(noise, [], 'no script errors, dialogs or CSP violations');
} catch (e) {
  failures++;
  console.log('FAIL  ' + e.stack);
  try {
    for (const p of await browser.pages()) {
      if (p.url().startsWith(base)) { await shot(p, 'failure'); console.log('      at ' + p.url() + '\n      ' + (await p.evaluate(() => document.querySelector('#result').textContent.slice(0, 300)))); }
    }
  } catch { /* the page may be gone */ }
  console.log(noise.slice(0, 5).join('\n'));
} finally {
  await browser.close();
}
console.log(checks + ' checks, ' + failures + (failures === 1 ? ' failure' : ' failures'));
process.exit(failures ? 1 : 0);
