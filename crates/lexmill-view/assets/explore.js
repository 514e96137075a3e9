/* The explorer. Its state is the hash:
 *   #w=sun&n=20            neighbours          (&m=1: of the second model)
 *   #w=sun&n=20&v=compare  both models
 *   #a=man&b=king&c=woman  analogy             (&x=3cosmul, &n=10, &m=1)
 * Words reach the page by textContent only. */
(function () {
  'use strict';

  const $ = id => document.getElementById(id);
  const COUNT = { near: 20, compare: 20, analogy: 10 };
  let models = [];
  const maps = [];                 // per model: {lm, at: Map word -> [x, y], failed, start()}
  let route = null, turn = 0, stopFetch = null;

  // ---- small helpers ----------------------------------------------------
  function h(tag, props, ...children) {
    const e = document.createElement(tag);
    for (const [k, v] of Object.entries(props || {})) {
      if (v == null || v === false) continue;
      if (k === 'class') e.className = v;
      else if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
      else e.setAttribute(k, v === true ? '' : v);
    }
    for (const c of children.flat()) if (c != null) e.append(c);
    return e;
  }
  function svg(tag, props, ...children) {
    const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [k, v] of Object.entries(props || {})) e.setAttribute(k, v);
    e.append(...children);
    return e;
  }
  const number = n => n.toLocaleString('en').replace(/,/g, '\u202f');
  const plural = (n, one, many) => number(n) + '\u00a0' + (n === 1 ? one : many);
  const decimal = v => (Number.isFinite(v) ? v.toFixed(3).replace('-', '\u2212') : '–');
  const brief = (w, most = 60) => { const c = Array.from(w); return c.length > most ? c.slice(0, most - 1).join('') + '…' : w; };
  /** A word on the page: isolated, so that RTL words leave their surroundings alone. */
  const wordEl = (w, cls = '') => h('bdi', { class: ('word ' + cls).trim(), title: w.length > 60 ? w : null }, w);
  const encode = s => { try { return encodeURIComponent(s); } catch { return ''; } };
  const decode = s => { try { return decodeURIComponent(s); } catch { return s; } };

  async function get(path, params, signal) {
    const q = Object.entries(params || {}).map(([k, v]) => k + '=' + encode(String(v))).join('&');
    let r;
    try {
      r = await fetch('/api/' + path + (q ? '?' + q : ''), { signal, headers: { Accept: 'application/json' } });
    } catch (e) {
      if (e.name === 'AbortError') throw e;
      throw Object.assign(new Error('Lexmill does not answer. Is it still running?'), { retry: true });
    }
    let body = null;
    try { body = await r.json(); } catch (e) { if (e.name === 'AbortError') throw e; }
    if (!r.ok || body === null) {
      throw Object.assign(new Error((body && body.error) || 'Lexmill answered with an error (' + r.status + ').'),
        { status: r.status, suggestions: (body && body.suggestions) || [], retry: r.status >= 500 || body === null });
    }
    return { status: r.status, body };
  }

  // ---- the hash ---------------------------------------------------------
  function parse(hash) {
    const p = {};
    for (const part of hash.replace(/^#/, '').split('&')) {
      const at = part.indexOf('=');
      if (at > 0) p[decode(part.slice(0, at))] = decode(part.slice(at + 1));
    }
    const two = models.length > 1;
    const r = { w: p.w || '', a: p.a || '', b: p.b || '', c: p.c || '', x: p.x === '3cosmul' ? '3cosmul' : '3cosadd' };
    r.view = p.v === 'analogy' || r.a || r.b || r.c ? 'analogy'
      : p.v === 'compare' && two ? 'compare'
      : !r.w && p.v === undefined && p.m === undefined && two ? 'compare' : 'near';
    r.m = two && p.m === '1' ? 1 : 0;
    const n = parseInt(p.n, 10);
    r.n = n >= 1 ? Math.min(n, 200) : COUNT[r.view];
    return r;
  }
  function hashOf(r) {
    const q = [];
    if (r.view === 'analogy') {
      for (const k of ['a', 'b', 'c']) if (r[k]) q.push(k + '=' + encode(r[k]));
      if (!q.length) q.push('v=analogy');
      if (r.x === '3cosmul') q.push('x=3cosmul');
    } else {
      if (r.w) q.push('w=' + encode(r.w));
      if (r.view === 'compare') q.push('v=compare'); else if (!r.w) q.push('v=near');
    }
    if (r.n !== COUNT[r.view] || ((r.view !== 'analogy') && r.w)) q.push('n=' + r.n);
    if (r.m && r.view !== 'compare') q.push('m=' + r.m);
    return '#' + q.join('&');
  }
  const linkTo = change => hashOf({ ...route, ...change });
  function go(change, replace) {
    const to = linkTo(change);
    if (to === location.hash) { show(); return; }
    if (replace) { history.replaceState(null, '', to); show(); } else location.hash = to;
  }

  // ---- completions ------------------------------------------------------
  function combo(input, pick) {
    const id = input.id + '-options';
    const ul = h('ul', { class: 'options', role: 'listbox', id, 'aria-label': 'Completions', hidden: true });
    input.after(ul);
    for (const [k, v] of Object.entries({ role: 'combobox', 'aria-autocomplete': 'list', 'aria-expanded': 'false', 'aria-controls': id })) input.setAttribute(k, v);
    let words = [], active = -1, timer = 0, abort = null, typed = '';
    const close = () => {
      clearTimeout(timer);
      if (abort) abort.abort();
      words = [];
      active = -1;
      ul.hidden = true;
      input.setAttribute('aria-expanded', 'false');
      input.removeAttribute('aria-activedescendant');
    };
    const mark = p => {
      active = p;
      [...ul.children].forEach((li, q) => li.setAttribute('aria-selected', String(q === p)));
      if (p >= 0) { input.setAttribute('aria-activedescendant', id + p); ul.children[p].scrollIntoView({ block: 'nearest' }); }
      else input.removeAttribute('aria-activedescendant');
      input.value = p >= 0 ? words[p] : typed;
    };
    const ask = async () => {
      if (abort) abort.abort();
      abort = new AbortController();
      const prefix = input.value.trimStart();
      if (!prefix) { close(); return; }
      try {
        const { body } = await get('complete', { model: modelNow(), prefix, count: 8 }, abort.signal);
        if (document.activeElement !== input || input.value.trimStart() !== prefix || !Array.isArray(body)) return;
        typed = input.value;
        words = body.map(String);
        active = -1;
        ul.replaceChildren(...words.map((w, p) => h('li', {
          role: 'option', id: id + p, 'aria-selected': 'false', dir: 'auto', title: w.length > 60 ? w : null,
          onpointerdown: e => { e.preventDefault(); input.value = w; close(); pick(w); },
        }, brief(w, 80))));
        ul.hidden = !words.length;
        input.setAttribute('aria-expanded', String(!!words.length));
      } catch { /* completions are a convenience: without them, typing still works */ }
    };
    input.addEventListener('input', () => { clearTimeout(timer); typed = input.value; timer = setTimeout(ask, 70); });
    input.addEventListener('blur', close);
    input.addEventListener('keydown', e => {
      if (e.isComposing) return;
      if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
        e.preventDefault();
        if (ul.hidden) { ask(); return; }
        const m = words.length + 1;
        mark((active + 1 + (e.key === 'ArrowDown' ? 1 : -1) + m) % m - 1);
      } else if (e.key === 'Enter') {
        e.preventDefault();
        const w = active >= 0 ? words[active] : input.value.trim();
        close();
        input.value = w;
        pick(w);
      } else if (e.key === 'Escape') {
        if (!ul.hidden) { e.preventDefault(); input.value = typed; }
        close();
      }
    });
  }
  const modelNow = () => (route ? route.m : 0);

  // ---- maps -------------------------------------------------------------
  function startMap(m) {
    const pane = $('pane' + m);
    const title = h('h2', { hidden: models.length < 2 }, models[m].name);
    const slot = h('div', { class: 'wait' });
    pane.replaceChildren(title, slot);
    const state = maps[m] = { lm: null, at: new Map(), wish: null };
    const waiting = (share) => {
      const known = Number.isFinite(share);
      slot.className = 'wait';
      let bar = slot.querySelector('progress');
      if (!bar) {
        bar = h('progress', { max: 1, 'aria-label': 'Map being computed' });
        slot.replaceChildren(h('p', {}), bar);
      }
      if (known) bar.value = share; else bar.removeAttribute('value');
      slot.firstChild.textContent = known ? 'The map is being computed: ' + Math.round(share * 100) + '\u00a0%' : 'Loading the map';
    };
    const poll = async () => {
      try {
        const { status, body } = await get('map', { model: m });
        if (status === 202) { waiting(body.progress); setTimeout(poll, 1000); return; }
        if (!body.words || !body.words.length) throw new Error('This model has no map.');
        const box = h('div', {});
        slot.replaceWith(box);
        body.words.forEach((w, i) => { if (!state.at.has(w)) state.at.set(w, [body.x[i], body.y[i]]); });
        state.lm = LexmillMap(box, body, {
          label: 'Map of ' + models[m].name,
          onPick: w => go(route.view === 'compare' ? { w } : { view: 'near', w, m, n: route.view === 'near' ? route.n : COUNT.near }),
        });
        if (state.wish) state.wish();
        if ($('result').querySelector('.start')) show();
      } catch (e) {
        slot.className = 'wait';
        slot.replaceChildren(h('p', {}, 'No map: ' + e.message),
          h('button', { type: 'button', onclick: () => { slot.replaceChildren(); waiting(); poll(); } }, 'Try again'));
      }
    };
    waiting();
    poll();
  }

  /** Marks words on the map of a model, now or when the map arrives. */
  function onMap(m, items, focusWord, more) {
    const s = maps[m];
    if (!s) return;
    s.wish = () => {
      const placed = [];
      for (const it of items) {
        const own = s.at.get(it.word);
        if (own) placed.push({ ...it, x: own[0], y: own[1], placed: false });
        else if (Number.isFinite(it.x) && Number.isFinite(it.y)) placed.push({ ...it, placed: true });
        else s.stale = true;
      }
      // Coordinates were not there yet when the words were asked for: ask again.
      if (s.stale) { s.stale = false; if (s.asked !== turn) { s.asked = turn + 1; show(); return; } }
      s.lm.highlight(placed, focusWord, more);
      if (placed.length) $('key').hidden = false;
    };
    if (s.lm) s.wish();
  }
  const glance = (m, w) => { const s = maps[m]; if (s && s.lm) s.lm.hover(w); };

  // ---- pieces of results ------------------------------------------------
  const countOf = x => (x.count != null ? number(x.count) : x.rank != null ? number(x.rank) : '');
  function rows(list, o) {
    const counted = list.some(x => x.count != null);
    const top = Math.max(1, ...list.map(x => x[o.value] || 0));
    const table = h('table', { class: 'list' },
      h('thead', {}, h('tr', {},
        o.ranks === false ? null : h('th', { class: 'rank' }, h('span', { class: 'sr' }, 'Place')),
        h('th', { scope: 'col' }, 'Word'),
        o.there ? h('th', { scope: 'col', class: 'there' }, 'Also at') : null,
        h('th', { scope: 'col', class: 'bar', 'aria-hidden': 'true' }),
        h('th', { scope: 'col', class: 'n cos' }, o.label),
        h('th', { scope: 'col', class: 'n count' }, counted ? 'Count' : 'Rank'))),
      h('tbody', {}, list.map((x, p) => {
        const bar = h('i', {});
        bar.style.width = Math.max(0, Math.min(100, 100 * (x[o.value] || 0) / top)) + '%';
        const tr = h('tr', {
          class: o.there && o.there.has(x.word) ? 'shared' : null,
          onpointerenter: () => o.enter(x.word), onpointerleave: () => o.enter(null),
          onfocusin: () => o.enter(x.word), onfocusout: () => o.enter(null),
        },
          o.ranks === false ? null : h('td', { class: 'rank' }, p + 1),
          h('td', { class: 'w' }, h('a', { href: o.href(x.word), class: 'clamp' }, wordEl(x.word))),
          o.there ? h('td', { class: 'there' }, o.there.has(x.word) ? '#' + o.there.get(x.word) : '') : null,
          h('td', { class: 'bar', 'aria-hidden': 'true' }, bar),
          h('td', { class: 'n cos' }, decimal(x[o.value])),
          h('td', { class: 'n count' }, countOf(x)));
        tr.dataset.word = x.word;
        return tr;
      })));
    return table;
  }
  function factsOf(x, m) {
    const bits = [];
    if (x.known === false) bits.push('Not in the vocabulary: its vector is that of its n-grams');
    if (x.rank != null) bits.push('Rank ' + number(x.rank) + ' of ' + number(models[m].words));
    if (x.count != null) bits.push(plural(x.count, 'occurrence', 'occurrences'));
    return bits.join(', ');
  }
  const headword = (w, level = 'h1') =>
    h(level, { class: 'head clamp' + (w.length > 24 ? ' medium' : ''), tabindex: -1 }, wordEl(w));

  function unknown(word, suggestions, change, message) {
    const list = (suggestions || []).filter(s => typeof s === 'string');
    return h('div', { class: 'note', 'data-unknown': true },
      h('h2', { tabindex: -1, class: 'clamp' }, '“', wordEl(word), '” is not in the vocabulary'),
      message ? h('p', {}, message) : null,
      list.length ? h('p', {}, 'Did you mean one of these?') : h('p', {}, 'Check the spelling, or try a more common word.'),
      list.length ? h('p', { class: 'chips' }, list.map(s => h('a', { href: linkTo(change(s)), class: 'clamp' }, wordEl(s)))) : null);
  }
  function failure(e) {
    return h('div', { class: 'note', 'data-error': true },
      h('h2', {}, brief(e.message, 400)),
      h('p', {}, h('button', { type: 'button', onclick: () => show() }, 'Try again')));
  }

  /** Neighbours of a word, or {unknown: suggestions}. */
  async function neighbours(m, word, count, signal) {
    try {
      const { body } = await get('neighbors', { model: m, word, count }, signal);
      return body;
    } catch (e) {
      if (e.name !== 'AbortError' && e.status >= 400 && e.status < 500) return { unknown: e.suggestions, status: e.status, error: e.message };
      throw e;
    }
  }
  const markOf = (x, weight) => ({ word: x.word, x: x.x, y: x.y, weight });

  // ---- views ------------------------------------------------------------
  function startView(r) {
    const words = r.view === 'compare' ? common() : [...(maps[0] ? maps[0].at.keys() : [])];
    const some = [];
    const good = words.filter(w => /^\p{L}{3,14}$/u.test(w));
    for (let i = 0; some.length < 14 && i < good.length; i++) {
      const w = good[Math.floor(good.length * .06) + i * 41];
      if (w === undefined) break;
      some.push(w);
    }
    return h('div', { class: 'start' },
      h('h1', {}, r.view === 'compare' ? 'One word, two models' : 'Look up a word'),
      h('p', {}, r.view === 'compare' ? 'See which neighbours the two models agree on.'
        : 'See the words its vector is closest to, and where they lie on the map.'),
      some.length ? h('p', { class: 'chips' }, some.map(w => h('a', { href: linkTo({ w }) }, wordEl(w)))) : null);
  }
  function common() {
    if (maps.length < 2 || !maps[1].lm) return [...(maps[0] ? maps[0].at.keys() : [])];
    return [...maps[0].at.keys()].filter(w => maps[1].at.has(w));
  }

  async function nearView(r, signal) {
    if (!r.w) { onMap(r.m, [], null, { fit: false }); return { title: '', nodes: [startView(r)] }; }
    const d = await neighbours(r.m, r.w, r.n, signal);
    if (d.unknown) {
      return { title: r.w, mark: () => onMap(r.m, [], null, { fit: false }), say: 'Not in the vocabulary',
        nodes: [unknown(r.w, d.unknown, w => ({ w }), d.status && d.status !== 404 ? d.error : null)] };
    }
    const list = d.neighbors || [];
    return {
      title: d.word, say: plural(list.length, 'neighbour', 'neighbours'),
      mark: () => onMap(r.m, [markOf(d, 1), ...list.map(x => markOf(x, x.cosine))], d.word),
      nodes: [headword(d.word), h('p', { class: 'facts' }, factsOf(d, r.m)),
        list.length ? rows(list, { value: 'cosine', label: 'Cosine', href: w => linkTo({ w }), enter: w => glance(r.m, w) })
          : h('p', {}, 'This word has no neighbours.')],
    };
  }

  async function analogyView(r, signal) {
    const clear = () => onMap(r.m, [], null, { fit: false });
    if (!r.a || !r.b || !r.c) {
      clear();
      return { title: 'Analogy', nodes: [h('div', { class: 'start' },
        h('h1', {}, 'Complete the analogy'),
        h('p', {}, 'Lexmill looks for the word that is to the third as the second is to the first.'),
        h('p', { class: 'chips' }, [['man', 'king', 'woman'], ['france', 'paris', 'italy'], ['good', 'better', 'bad'], ['walk', 'walked', 'go']]
          .map(([a, b, c]) => h('a', { href: linkTo({ a, b, c }) }, a + ' : ' + b + ' = ' + c + ' : ?'))))] };
    }
    const three = await Promise.all(['a', 'b', 'c'].map(k => neighbours(r.m, r[k], 1, signal)));
    const bad = ['a', 'b', 'c'].filter((k, i) => three[i].unknown);
    if (bad.length) {
      return { title: 'Analogy', mark: clear, say: 'Not in the vocabulary',
        nodes: bad.map(k => unknown(r[k], three['abc'.indexOf(k)].unknown, w => ({ [k]: w }))) };
    }
    const { body } = await get('analogy', { model: r.m, a: r.a, b: r.b, c: r.c, method: r.x, count: r.n }, signal);
    const list = body.answers || [];
    const best = list[0];
    const items = three.map((d, i) => markOf({ ...d, word: [r.a, r.b, r.c][i] }, .7)).concat(list.map(x => markOf(x, .35)));
    return {
      title: r.a + ' : ' + r.b + ' = ' + r.c + ' : ?', say: best ? 'Best answer: ' + best.word : 'No answers',
      mark: () => onMap(r.m, items, best && best.word, { links: best ? [[r.a, r.b], [r.c, best.word]] : [] }),
      nodes: [best ? headword(best.word) : h('p', {}, 'No answers.'),
        h('p', { class: 'facts' }, wordEl(r.a), ' is to ', wordEl(r.b), ' as ', wordEl(r.c), ' is to ', best ? wordEl(best.word) : '…',
          ', by ' + (r.x === '3cosmul' ? '3CosMul' : '3CosAdd')),
        rows(list, { value: 'score', label: 'Score', href: w => hashOf({ ...route, view: 'near', w, n: COUNT.near }), enter: w => glance(r.m, w) })],
    };
  }

  /** Two circles whose common area is the shared part of the lists. */
  function rings(share) {
    const common = t => 2 / Math.PI * (Math.acos(t) - t * Math.sqrt(1 - t * t));
    let lo = 0, hi = 1;
    for (let i = 0; i < 30; i++) { const t = (lo + hi) / 2; if (common(t) > share) lo = t; else hi = t; }
    const apart = 36 * (lo + hi) / 2;
    const c = (cls, cx) => svg('circle', { class: cls, cx, cy: 20, r: 18 });
    return svg('svg', { viewBox: '0 0 ' + (40 + apart) + ' 40', 'aria-hidden': 'true' }, c('c0', 20), c('c1', 20 + apart));
  }

  async function compareView(r, signal) {
    if (!r.w) {
      for (const m of [0, 1]) onMap(m, [], null, { fit: false });
      return { title: '', nodes: [startView(r)] };
    }
    const both = await Promise.all([0, 1].map(m => neighbours(m, r.w, r.n, signal)));
    if (both[0].unknown && both[1].unknown) {
      return { title: r.w, mark: () => { for (const m of [0, 1]) onMap(m, [], null, { fit: false }); }, say: 'Not in either vocabulary',
        nodes: [unknown(r.w, [...new Set(both[0].unknown.concat(both[1].unknown))], w => ({ w }))] };
    }
    const lists = both.map(d => (d.unknown ? [] : d.neighbors || []));
    const place = lists.map(l => new Map(l.map((x, p) => [x.word, p + 1])));
    const shared = lists[0].filter(x => place[1].has(x.word)).length;
    const union = lists[0].length + lists[1].length - shared;
    const jaccard = union ? shared / union : 0;
    const light = (m, w) => {
      for (const tr of $('result').querySelectorAll('tr[data-word]')) tr.classList.toggle('lit', w !== null && tr.dataset.word === w);
      for (const q of [0, 1]) glance(q, w !== null && place[q].has(w) ? w : null);
    };
    const side = m => h('section', { class: m ? 'second' : 'first', 'aria-label': models[m].name },
      h('h2', {}, models[m].name),
      both[m].unknown ? unknown(r.w, both[m].unknown, w => ({ w }))
        : [h('p', { class: 'facts' }, factsOf(both[m], m)),
          rows(lists[m], { value: 'cosine', label: 'Cosine', there: place[1 - m], href: w => linkTo({ w }), enter: w => light(m, w) })]);
    return {
      title: r.w, say: shared + ' neighbours shared',
      mark: () => {
        for (const m of [0, 1]) {
          if (both[m].unknown) onMap(m, [], null, { fit: false });
          else onMap(m, [markOf(both[m], 1), ...lists[m].map(x => ({ ...markOf(x, x.cosine), under: place[1 - m].has(x.word) }))], both[m].word);
        }
      },
      nodes: [headword(r.w),
        both[0].unknown || both[1].unknown ? h('p', { class: 'facts' }, 'Only one of the models knows this word.')
          : h('div', { class: 'overlap', id: 'overlap' }, rings(shared / Math.max(1, lists[0].length, lists[1].length)),
            h('p', {}, h('b', {}, shared + ' of ' + Math.max(lists[0].length, lists[1].length)), ' neighbours shared, Jaccard ', h('b', {}, jaccard.toFixed(2)))),
        h('div', { class: 'pair' }, side(0), side(1)),
        h('p', { class: 'facts' }, 'Shared words are tinted here and underlined on the maps. “Also at” is the word’s place in the other list.')],
    };
  }

  // ---- showing a route --------------------------------------------------
  function key(r) {
    const k = $('key');
    k.replaceChildren(
      h('span', { class: 'k-focus' }, r.view === 'analogy' ? 'best answer' : 'the word'),
      h('span', {}, r.view === 'analogy' ? 'the three words and other answers' : 'neighbours'),
      h('span', { class: 'k-off' }, 'not on the map, placed among its nearest words'));
    k.className = 'key' + (r.view !== 'compare' && r.m ? ' second' : '');
  }

  let shownHash = null;
  async function show() {
    const mine = ++turn;
    const r = route = parse(location.hash);
    if (stopFetch) stopFetch.abort();
    stopFetch = new AbortController();

    // Controls follow the hash.
    const layout = $('layout'), result = $('result');
    layout.className = 'layout' + (r.view === 'compare' ? ' compare' : '');
    const near = r.view !== 'analogy';
    $('near-form').hidden = !near;
    $('analogy-form').hidden = near;
    // What somebody is typing stays, unless they went somewhere.
    const again = shownHash === location.hash;
    shownHash = location.hash;
    const typing = id => document.activeElement === $(id) && (again || !r[id === 'word' ? 'w' : id]);
    if (!typing('word')) $('word').value = r.w;
    if (!near) for (const k of ['a', 'b', 'c']) if (!typing(k)) $(k).value = r[k] || $(k).value;
    $(near ? 'count' : 'acount').value = r.n;
    for (const e of document.getElementsByName('method')) e.checked = e.value === r.x;
    $('model').value = $('amodel').value = String(r.m);
    $('model-box').hidden = models.length < 2 || r.view === 'compare';
    for (const m of [0, 1]) $('pane' + m).hidden = !(r.view === 'compare' || r.m === m);
    for (const v of ['near', 'analogy', 'compare']) {
      const tab = $('tab-' + v);
      tab.href = hashOf({ ...r, view: v, n: COUNT[v], w: r.w || (v !== 'analogy' && r.view === 'analogy' ? lastWord : '') });
      if (v === r.view) tab.setAttribute('aria-current', 'page'); else tab.removeAttribute('aria-current');
    }
    if (r.w) lastWord = r.w;
    key(r);

    const inside = result.contains(document.activeElement);
    result.setAttribute('aria-busy', 'true');
    result.classList.add('busy');
    if (!result.firstChild) result.append(h('p', { class: 'facts' }, 'Loading'));
    let out;
    try {
      out = await (r.view === 'near' ? nearView : r.view === 'analogy' ? analogyView : compareView)(r, stopFetch.signal);
    } catch (e) {
      if (e.name === 'AbortError' || mine !== turn) return;
      out = { title: 'Error', nodes: [failure(e)], say: e.message };
    }
    if (mine !== turn) return;
    result.replaceChildren(...out.nodes);
    result.classList.remove('busy');
    result.removeAttribute('aria-busy');
    document.title = (out.title ? brief(out.title) + ' – ' : '') + 'Lexmill';
    $('status').textContent = out.say || '';
    $('key').hidden = true;
    if (out.mark) out.mark();
    if (inside) {
      const to = result.querySelector('[tabindex="-1"]');
      if (to) to.focus({ preventScroll: true });
      if (result.getBoundingClientRect().top < 0) window.scrollTo(0, 0);
    }
    document.documentElement.dataset.shown = String(mine);
  }
  let lastWord = '';

  // ---- start ------------------------------------------------------------
  function wire() {
    const submitNear = () => {
      const w = $('word').value.trim();
      if (w) go({ w, n: countFrom($('count'), route.n) });
    };
    const submitAnalogy = () => {
      const v = { x: [...document.getElementsByName('method')].find(e => e.checked).value, n: countFrom($('acount'), route.n) };
      let empty = null;
      for (const k of ['a', 'b', 'c']) { v[k] = $(k).value.trim(); if (!v[k] && !empty) empty = $(k); }
      if (empty) empty.focus(); else go(v);
    };
    const countFrom = (e, or) => { const n = Math.round(Number(e.value)); return n >= 1 ? Math.min(n, 200) : or; };
    combo($('word'), w => { $('word').value = w; submitNear(); });
    ['a', 'b', 'c'].forEach(k => combo($(k), w => { $(k).value = w; submitAnalogy(); }));
    $('near-form').addEventListener('submit', e => { e.preventDefault(); submitNear(); });
    $('analogy-form').addEventListener('submit', e => { e.preventDefault(); submitAnalogy(); });
    for (const id of ['count', 'acount']) {
      $(id).addEventListener('change', () => { const n = countFrom($(id), route.n); $(id).value = n; if (n !== route.n) go({ n }, true); });
    }
    for (const e of document.getElementsByName('method')) e.addEventListener('change', () => { if (route.a && route.b && route.c) submitAnalogy(); });
    for (const id of ['model', 'amodel']) $(id).addEventListener('change', () => go({ m: Number($(id).value) }));
    $('skip').addEventListener('click', e => { e.preventDefault(); const t = $('result').querySelector('a, [tabindex]'); if (t) t.focus(); });
    document.addEventListener('keydown', e => {
      if (e.key !== '/' || e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
      e.preventDefault();
      const f = $(route.view === 'analogy' ? 'a' : 'word');
      f.focus();
      f.select();
    });
    window.addEventListener('hashchange', show);
  }

  async function begin() {
    try {
      models = (await get('models')).body.slice(0, 2);
      if (!models.length) throw new Error('Lexmill has no model open.');
    } catch (e) {
      const box = failure(e);
      box.querySelector('button').onclick = () => location.reload();
      $('result').replaceChildren(box);
      return;
    }
    const two = models.length > 1;
    if (two && models[0].name === models[1].name) models.forEach((m, i) => { m.name += ' (' + (i + 1) + ')'; });
    $('models').replaceChildren(...models.map((m, i) => h('span', { class: 'm' + i + (two ? ' two' : ''), title: m.path },
      h('b', {}, brief(m.name, 50)), ' ' + plural(m.words, 'word', 'words') + ', ' + plural(m.dim, 'dimension', 'dimensions'))));
    $('tab-compare').hidden = !two;
    $('amodel-box').hidden = !two;
    for (const id of ['model', 'amodel']) $(id).replaceChildren(...models.map((m, i) => h('option', { value: i }, brief(m.name, 40))));
    wire();
    models.forEach((m, i) => startMap(i));
    show();
    if (!location.hash && matchMedia('(hover: hover)').matches) $('word').focus();
  }
  begin();
})();
