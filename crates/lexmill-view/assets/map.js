/* LexmillMap(element, data, options): a word map on a canvas.
 *
 *   data     {words, x, y, counts}: most frequent word first, x and y in 0..1
 *            (y grows downwards), counts an array or null
 *   options  onPick(word), label (accessible name), wheel: 'always' or 'focus'
 *            (zoom by wheel only once the map has been clicked or with ctrl)
 *
 * Returns the object also found at element.lexmillMap:
 *   highlight(items, focusWord, {links, fit})  items: [{word, x, y, weight, placed, under}]
 *     placed: drawn hollow; under: label underlined; links: [[from, to]] as arrows
 *   hover(word | null), focus(word), search(text), home(), zoomBy(f), clear(),
 *   screen(word), state(), destroy()
 */
(function (root) {
  'use strict';

  const SIZES = [15, 13, 12];          // label sizes in px, by frequency class
  const CELLS = 48;                    // the hit-testing grid is CELLS x CELLS
  const K0 = 64;                       // px per unit at label level 0; four levels an octave
  const MAX_ZOOM = 150;
  const LONGEST = 26;                  // characters of a label
  const PRINT = { width: 642, height: 453, dpr: 3 };   // 17 cm x 12 cm
  const INK = {
    bg: '#ffffff', dot: '#b5b5b5', label: '#444', strong: '#000',
    focus: '#b02a14', near: '#07573f', match: '#7a4f00', panel: '#ffffff', rule: '#999999',
  };

  const segmenter = typeof Intl.Segmenter === 'function' ? new Intl.Segmenter() : null;
  function shorten(word, most) {
    const clean = word.slice(0, 40 * most).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '\u2423')
      .replace(/[\u202a-\u202e\u2066-\u2069]/g, '');
    if (clean.length <= most) return clean;
    const parts = segmenter ? Array.from(segmenter.segment(clean), s => s.segment) : Array.from(clean);
    return parts.length <= most ? clean : parts.slice(0, most - 1).join('') + '…';
  }
  const number = n => n.toLocaleString('en').replace(/,/g, '\u202f');
  const clamp = (v, lo, hi) => Math.min(hi, Math.max(lo, v));
  let serial = 0;

  function make(tag, props, ...children) {
    const e = document.createElement(tag);
    for (const [k, v] of Object.entries(props || {})) {
      if (k === 'class') e.className = v;
      else if (k in e && k !== 'list') e[k] = v;
      else e.setAttribute(k, v);
    }
    e.append(...children);
    return e;
  }

  function LexmillMap(element, data, options = {}) {
    const { words, x, y } = data;
    const counts = data.counts || null;
    const n = words.length;
    const id = 'lm' + (++serial);
    const index = new Map();
    for (let i = n - 1; i >= 0; i--) index.set(words[i], i);

    // ---- elements -------------------------------------------------------
    const canvas = make('canvas', { tabIndex: 0 });
    canvas.setAttribute('role', 'application');
    canvas.setAttribute('aria-roledescription', 'map');
    canvas.setAttribute('aria-label', (options.label || 'Map of words') + ', ' + number(n) +
      ' words. Arrow keys pan, plus and minus zoom, 0 shows everything, full stop and comma step through the labels, Enter opens the selected word.');
    const input = make('input', { type: 'search', placeholder: 'Find on the map', autocomplete: 'off', spellcheck: false });
    input.setAttribute('aria-label', 'Find a word on the map');
    input.setAttribute('role', 'combobox');
    input.setAttribute('aria-autocomplete', 'list');
    input.setAttribute('aria-expanded', 'false');
    input.setAttribute('aria-controls', id + 'hits');
    const hits = make('ul', { class: 'options', id: id + 'hits', hidden: true });
    hits.setAttribute('role', 'listbox');
    hits.setAttribute('aria-label', 'Words on the map');
    const button = (text, title, act) => {
      const b = make('button', { type: 'button', title }, text);
      b.setAttribute('aria-label', title);
      b.addEventListener('click', act);
      return b;
    };
    const live = make('p', { class: 'lm-live' });
    live.setAttribute('aria-live', 'polite');
    const whole = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    whole.setAttribute('viewBox', '0 0 16 16');
    whole.setAttribute('aria-hidden', 'true');
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    path.setAttribute('d', 'M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4');
    whole.append(path);
    const bar = make('div', { class: 'lm-bar' },
      make('div', { class: 'combo' }, input, hits),
      make('div', { class: 'lm-zoom' },
        button('−', 'Zoom out', () => zoomBy(1 / 1.8)),
        button('+', 'Zoom in', () => zoomBy(1.8)),
        button(whole, 'Show the whole map', () => home())));
    const stage = make('div', { class: 'lm-stage' }, canvas);
    element.classList.add('lm-map');
    element.replaceChildren(bar, stage, live);
    const ctx = canvas.getContext('2d');

    // ---- state ----------------------------------------------------------
    let W = 0, H = 0, dpr = 1, homeK = 1, family = 'sans-serif', ink = INK;
    const view = { x: .5, y: .5, k: 0 };           // centre, px per unit
    let marks = [], links = [], focusWord = null;  // what highlight() gave
    let matches = [], matchTotal = 0, query = '';
    let hovered = null, selected = null;           // {word, x, y, i}
    let drawn = [];                                // boxes of the last frame
    let frame = 0, flight = null, wish = null, printing = false, gone = false;
    let frameMs = 0, frames = 0;

    // ---- grid: ids of the words of every cell, most frequent first -------
    const cellOf = v => clamp(Math.floor(v * CELLS), 0, CELLS - 1);
    const start = new Int32Array(CELLS * CELLS + 1), ids = new Int32Array(n);
    for (let i = 0; i < n; i++) start[cellOf(y[i]) * CELLS + cellOf(x[i]) + 1]++;
    for (let c = 0; c < CELLS * CELLS; c++) start[c + 1] += start[c];
    const next = start.slice();
    for (let i = 0; i < n; i++) ids[next[cellOf(y[i]) * CELLS + cellOf(x[i])]++] = i;

    // ---- labels: from which scale on each word's label is shown ----------
    // Level by level (zooming in), words are placed in order of frequency where
    // they meet no label placed before. A label once placed stays at all larger
    // scales, so nothing flickers while panning, and a frame need only compare
    // two numbers for each word.
    const kindOf = i => (i < n * .012 || i < 12 ? 0 : i < n * .12 ? 1 : 2);
    const fonts = () => SIZES.map((s, c) => (c === 0 ? '600 ' : '') + s + 'px ' + family);
    let font = fonts();
    const text = new Array(n), width = new Float32Array(n), since = new Float32Array(n);
    let levels = 0, unplaced = [];
    const BUCKETS = 1 << 14, heads = new Int32Array(BUCKETS);

    function measure() {
      font = fonts();
      let last = -1;
      for (let i = 0; i < n; i++) {
        if (kindOf(i) !== last) ctx.font = font[last = kindOf(i)];
        if (text[i] === undefined) text[i] = shorten(words[i], LONGEST);
        width[i] = ctx.measureText(text[i]).width;
      }
      since.fill(Infinity);
      levels = 0;
      unplaced = Array.from({ length: n }, (_, i) => i);
    }

    function level() {
      const k = K0 * 2 ** (levels / 4);
      const cw = 72, ch = 22;
      heads.fill(-1);
      const link = [], item = [];
      const each = (i, f) => {
        const w = width[i] / 2 + 5, h = SIZES[kindOf(i)] / 2 + 4, px = x[i] * k, py = y[i] * k;
        const c1 = Math.floor((px + w) / cw), r1 = Math.floor((py + h) / ch);
        for (let r = Math.floor((py - h) / ch); r <= r1; r++) {
          for (let c = Math.floor((px - w) / cw); c <= c1; c++) {
            if (f(((r * 73856093) ^ (c * 19349663)) & (BUCKETS - 1), w, h, px, py)) return true;
          }
        }
        return false;
      };
      const put = i => each(i, b => { link.push(heads[b]); item.push(i); heads[b] = link.length - 1; });
      const meets = i => each(i, (b, w, h, px, py) => {
        for (let e = heads[b]; e >= 0; e = link[e]) {
          const j = item[e];
          if (Math.abs(x[j] * k - px) < w + width[j] / 2 + 5 &&
              Math.abs(y[j] * k - py) < h + SIZES[kindOf(j)] / 2 + 4) return true;
        }
        return false;
      });
      for (let i = 0; i < n; i++) if (since[i] < Infinity) put(i);
      unplaced = unplaced.filter(i => {
        if (meets(i)) return true;
        since[i] = k;
        put(i);
        return false;
      });
      levels++;
    }
    function levelsTo(k) { while (unplaced.length && K0 * 2 ** (levels / 4) <= k) level(); }

    // ---- geometry -------------------------------------------------------
    const sx = wx => W / 2 + (wx - view.x) * view.k;
    const sy = wy => H / 2 + (wy - view.y) * view.k;
    const wx = px => view.x + (px - W / 2) / view.k;
    const wy = py => view.y + (py - H / 2) / view.k;
    const keep = v => {
      v.k = clamp(v.k, homeK * .7, homeK * MAX_ZOOM);
      v.x = clamp(v.x, -.1, 1.1);
      v.y = clamp(v.y, -.1, 1.1);
      return v;
    };

    function fitScale() { return Math.max(20, Math.min(W - 70, H - 44)); }

    function resize() {
      if (gone || printing) return;
      const w = stage.clientWidth, h = stage.clientHeight;
      if (!w || !h) return;
      const before = homeK;
      W = w; H = h;
      dpr = root.devicePixelRatio || 1;
      canvas.width = Math.round(W * dpr);
      canvas.height = Math.round(H * dpr);
      homeK = fitScale();
      view.k = view.k ? view.k * homeK / before : homeK;
      if (wish) { const go = wish; wish = null; go(); }
      draw();
    }

    function palette() {
      const s = getComputedStyle(element);
      const get = (name, or) => s.getPropertyValue(name).trim() || or;
      ink = {
        bg: get('--map-bg', INK.bg), dot: get('--map-dot', INK.dot), label: get('--map-label', INK.label),
        strong: get('--map-strong', INK.strong), focus: get('--map-focus', INK.focus),
        near: get('--map-near', INK.near), match: get('--map-match', INK.match), panel: get('--panel', '#fff'), rule: get('--edge', '#999'),
      };
      const now = get('--sans', s.fontFamily);
      if (now !== family || text[0] === undefined) { family = now; measure(); }
    }

    // ---- drawing --------------------------------------------------------
    function redraw() { if (!frame && !gone) frame = requestAnimationFrame(tick); }

    function tick(now) {
      frame = 0;
      if (flight) {
        const t = clamp((now - flight.t0) / flight.ms, 0, 1);
        const e = t < .5 ? 4 * t * t * t : 1 - (2 - 2 * t) ** 3 / 2;
        const { from, to } = flight;
        // Zoom out a little on the way when the trip is long.
        const dip = flight.dip * 4 * e * (1 - e);
        view.k = Math.exp(Math.log(from.k) + (Math.log(to.k) - Math.log(from.k)) * e - dip);
        view.x = from.x + (to.x - from.x) * e;
        view.y = from.y + (to.y - from.y) * e;
        if (t >= 1) { Object.assign(view, to); flight = null; }
      }
      draw();
      if (flight) redraw();
    }

    const meet = (a, b) => a.x0 < b.x1 && a.x1 > b.x0 && a.y0 < b.y1 && a.y1 > b.y0;

    function halo(s, px, py, color, back) {
      ctx.lineWidth = 4;
      ctx.lineJoin = 'round';
      ctx.strokeStyle = back;
      ctx.strokeText(s, px, py);
      ctx.fillStyle = color;
      ctx.fillText(s, px, py);
    }

    // Marked words: their labels are laid out first, beside their dots.
    function layMarks(list, boxes) {
      const out = [];
      for (const m of list) m.box = { x0: m.px - m.r, x1: m.px + m.r, y0: m.py - m.r, y1: m.py + m.r };
      for (const m of list) {
        ctx.font = m.font;
        const s = shorten(m.word, LONGEST), w = ctx.measureText(s).width, h = m.size + 4, g = m.r + 4;
        const spots = [
          [m.px + g, m.py - h / 2], [m.px - g - w, m.py - h / 2], [m.px - w / 2, m.py - g - h + 2], [m.px - w / 2, m.py + g - 2],
          [m.px + g * .7, m.py - h - 1], [m.px + g * .7, m.py + 1], [m.px - w - g * .7, m.py - h - 1], [m.px - w - g * .7, m.py + 1],
        ];
        let best = null;
        for (const [x0, y0] of spots) {
          const b = { x0, x1: x0 + w, y0, y1: y0 + h };
          if (b.x0 < 2 || b.x1 > W - 2 || b.y0 < 2 || b.y1 > H - 2) continue;
          if (boxes.some(o => meet(o, b)) || list.some(o => o !== m && meet(o.box, b))) continue;
          best = b;
          break;
        }
        if (!best && m.must) best = { x0: m.px + g, x1: m.px + g + w, y0: m.py - h / 2, y1: m.py + h / 2 };
        if (best) { boxes.push(best); out.push({ m, s, b: best }); }
      }
      for (const m of list) boxes.push(m.box);
      return out;
    }

    function arrow(x0, y0, x1, y1, gap) {
      const d = Math.hypot(x1 - x0, y1 - y0);
      if (d < gap * 2 + 6) return;
      const ux = (x1 - x0) / d, uy = (y1 - y0) / d;
      const ex = x1 - ux * gap, ey = y1 - uy * gap;
      ctx.beginPath();
      ctx.moveTo(x0 + ux * gap, y0 + uy * gap);
      ctx.lineTo(ex, ey);
      ctx.moveTo(ex - ux * 9 - uy * 4, ey - uy * 9 + ux * 4);
      ctx.lineTo(ex, ey);
      ctx.lineTo(ex - ux * 9 + uy * 4, ey - uy * 9 - ux * 4);
      ctx.stroke();
    }

    function draw() {
      if (!W || gone) return;
      const t0 = performance.now();
      const k = view.k, dim = marks.length > 0 || matches.length > 0;
      levelsTo(k);
      ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
      ctx.globalAlpha = 1;
      ctx.fillStyle = ink.bg;
      ctx.fillRect(0, 0, W, H);
      ctx.textBaseline = 'middle';
      ctx.direction = 'ltr';

      // Marks of highlight(), then search matches.
      const shown = [], boxes = [];
      const offMap = m => m.px < -20 || m.px > W + 20 || m.py < -20 || m.py > H + 20;
      for (const m of marks) {
        const isFocus = m.word === focusWord;
        const s = isFocus ? 16 : 14;
        const r = isFocus ? 6 : 3 + 2.5 * clamp(m.weight == null ? .6 : m.weight, 0, 1);
        const o = { ...m, px: sx(m.x), py: sy(m.y), r, size: s, font: (isFocus ? '700 ' : '600 ') + s + 'px ' + family,
          color: isFocus ? ink.focus : ink.near, must: isFocus };
        if (!offMap(o)) shown.push(o);
      }
      const taken = new Set(shown.map(m => m.word));
      for (const i of matches) {
        if (taken.has(words[i]) || (selected && selected.word === words[i])) continue;
        const o = { word: words[i], i, x: x[i], y: y[i], px: sx(x[i]), py: sy(y[i]), r: 4.5, size: 13, font: '600 13px ' + family, color: ink.match, ring: true };
        if (!offMap(o)) shown.push(o);
        if (shown.length > 300) break;
      }
      shown.sort((a, b) => (b.must ? 1 : 0) - (a.must ? 1 : 0));
      if (selected && !taken.has(selected.word)) {
        shown.unshift({ ...selected, px: sx(selected.x), py: sy(selected.y), r: 5, size: 14, font: '600 14px ' + family, color: ink.strong, must: true, ring: true });
      }
      const laid = layMarks(shown, boxes);
      const marked = new Set(shown.map(m => m.word));
      drawn = laid.map(l => ({ ...l.b, word: l.m.word, x: l.m.x, y: l.m.y }));

      // The words in view: labels where there is room, otherwise dots.
      const mx = 110 / k, my = 12 / k;
      const c0 = cellOf(wx(0) - mx), c1 = cellOf(wx(W) + mx), r0 = cellOf(wy(0) - my), r1 = cellOf(wy(H) + my);
      const byKind = [[], [], []];
      const dots = Math.max(1, Math.round(dpr)) / dpr;
      const loose = [];
      for (let r = r0; r <= r1; r++) {
        const end = start[r * CELLS + c1 + 1];
        for (let e = start[r * CELLS + c0]; e < end; e++) {
          const i = ids[e], px = sx(x[i]), py = sy(y[i]), kind = kindOf(i);
          if (since[i] <= k) {
            const w = width[i] / 2;
            if (px + w < 0 || px - w > W || py < -9 || py > H + 9) continue;
            byKind[kind].push(i);
          } else if (px >= 0 && px < W && py >= 0 && py < H) loose.push(i);
        }
      }
      // Labels claim their area, in squares of 4 px; dots keep out of it.
      const across = Math.ceil(W / 4) + 1, claimed = new Uint8Array(across * (Math.ceil(H / 4) + 1));
      const claim = b => {
        const q1 = Math.min(across - 1, (b.x1 + 1) >> 2), y1 = Math.min(H, b.y1 - 2) >> 2;
        for (let q = Math.max(0, b.y0 + 2) >> 2; q <= y1; q++) claimed.fill(1, q * across + (Math.max(0, b.x0 - 1) >> 2), q * across + q1 + 1);
      };
      for (const l of laid) claim(l.b);
      const base = [];
      for (let kind = 2; kind >= 0; kind--) {
        const h = SIZES[kind] / 2 + 2;
        for (const i of byKind[kind]) {
          if (marked.has(words[i])) continue;
          const px = sx(x[i]), py = sy(y[i]), w = width[i] / 2;
          const b = { x0: px - w, x1: px + w, y0: py - h, y1: py + h, word: words[i], i, x: x[i], y: y[i], kind };
          let hit = false;
          for (let q = 0; q < boxes.length && !hit; q++) hit = meet(boxes[q], b);
          if (hit) { if (px >= 0 && px < W && py >= 0 && py < H) loose.push(i); continue; }
          claim(b);
          base.push(b);
        }
      }
      ctx.fillStyle = ink.dot;
      ctx.globalAlpha = dim ? .75 : 1;
      for (const i of loose) {
        const px = sx(x[i]), py = sy(y[i]);
        if (claimed[(py >> 2) * across + (px >> 2)]) continue;
        const d = dots * (kindOf(i) === 2 ? 2 : 3);
        ctx.fillRect(px - d / 2, py - d / 2, d, d);
      }
      ctx.globalAlpha = dim ? .66 : 1;
      ctx.textAlign = 'center';
      let last = -1;
      for (const b of base) {
        if (b.kind !== last) { ctx.font = font[last = b.kind]; ctx.fillStyle = last === 2 ? ink.label : ink.strong; }
        ctx.fillText(text[b.i], (b.x0 + b.x1) / 2, (b.y0 + b.y1) / 2);
      }
      drawn.push(...base);
      ctx.globalAlpha = 1;

      // Lines, dots and labels of the marks.
      ctx.lineCap = 'round';
      const at = new Map(marks.map(m => [m.word, m]));
      if (links.length) {
        ctx.lineWidth = 1.8;
        ctx.strokeStyle = ink.focus;
        for (const [a, b] of links) {
          const p = at.get(a), q = at.get(b);
          if (p && q) arrow(sx(p.x), sy(p.y), sx(q.x), sy(q.y), 8);
        }
      } else if (focusWord != null && at.has(focusWord)) {
        const f = at.get(focusWord);
        ctx.lineWidth = 1;
        ctx.strokeStyle = ink.near;
        ctx.globalAlpha = .35;
        ctx.beginPath();
        for (const m of marks) {
          if (m.word === focusWord) continue;
          ctx.moveTo(sx(f.x), sy(f.y));
          ctx.lineTo(sx(m.x), sy(m.y));
        }
        ctx.stroke();
        ctx.globalAlpha = 1;
      }
      for (let q = shown.length - 1; q >= 0; q--) {
        const m = shown[q];
        ctx.beginPath();
        ctx.arc(m.px, m.py, m.r, 0, 7);
        ctx.fillStyle = m.placed || m.ring ? ink.bg : m.color;
        ctx.fill();
        ctx.lineWidth = m.placed || m.ring ? 2 : 1.5;
        ctx.strokeStyle = m.placed || m.ring ? m.color : ink.bg;
        ctx.stroke();
      }
      ctx.textAlign = 'left';
      for (let q = laid.length - 1; q >= 0; q--) {
        const { m, s, b } = laid[q];
        ctx.font = m.font;
        halo(s, b.x0, (b.y0 + b.y1) / 2, m.color, ink.bg);
        if (m.under) ctx.fillRect(b.x0, b.y1 - 2.5, b.x1 - b.x0, 1.5);
      }
      if (hovered && !printing) plate(hovered);

      frames++;
      frameMs = frameMs ? frameMs * .9 + (performance.now() - t0) * .1 : performance.now() - t0;
      api.labels = base.length + laid.length;
    }

    function plate(h) {
      const px = sx(h.x), py = sy(h.y);
      if (px < -40 || px > W + 40 || py < -20 || py > H + 20) return;
      ctx.font = '600 14px ' + family;
      const s = shorten(h.word, 40), w = ctx.measureText(s).width + 16;
      const x0 = clamp(px - w / 2, 2, Math.max(2, W - w - 2)), y0 = py > 44 ? py - 37 : py + 11;
      ctx.fillStyle = ink.panel;
      ctx.strokeStyle = ink.rule;
      ctx.lineWidth = 1;
      ctx.beginPath();
      if (ctx.roundRect) ctx.roundRect(x0, y0, w, 26, 4); else ctx.rect(x0, y0, w, 26);
      ctx.fill();
      ctx.stroke();
      ctx.beginPath();
      ctx.arc(px, py, 7, 0, 7);
      ctx.lineWidth = 2;
      ctx.strokeStyle = ink.strong;
      ctx.stroke();
      ctx.fillStyle = ink.strong;
      ctx.textAlign = 'left';
      ctx.fillText(s, x0 + 8, y0 + 13.5);
    }

    // ---- moving ---------------------------------------------------------
    const still = root.matchMedia('(prefers-reduced-motion: reduce)');
    function fly(to, ms = 650) {
      keep(to);
      const far = Math.hypot(to.x - view.x, to.y - view.y) * Math.min(view.k, to.k) / Math.max(W, H, 1);
      if (still.matches || document.hidden || !view.k) { flight = null; Object.assign(view, to); redraw(); return; }
      flight = { from: { ...view }, to, t0: performance.now(), ms, dip: clamp(Math.log(Math.max(1, far * 1.3)), 0, 2.5) };
      redraw();
    }
    // Calls that need a size wait until the map is laid out.
    function sized(act) { if (W) act(); else wish = act; }
    function home() { sized(() => fly({ x: .5, y: .5, k: homeK })); }
    function zoomBy(f, px = W / 2, py = H / 2, now = false) {
      const base = flight && !now ? flight.to : view;
      const k = clamp(base.k * f, homeK * .7, homeK * MAX_ZOOM);
      const ax = base.x + (px - W / 2) / base.k, ay = base.y + (py - H / 2) / base.k;
      const to = { x: ax - (px - W / 2) / k, y: ay - (py - H / 2) / k, k };
      if (now) { flight = null; Object.assign(view, keep(to)); redraw(); } else fly(to, 220);
    }
    function panBy(dx, dy, now) {
      const base = flight && !now ? flight.to : view;
      const to = { x: base.x - dx / base.k, y: base.y - dy / base.k, k: base.k };
      if (now) { flight = null; Object.assign(view, keep(to)); redraw(); } else fly(to, 160);
    }
    function fit(list) {
      if (!list.length) return;
      sized(() => {
        let x0 = 1, x1 = 0, y0 = 1, y1 = 0;
        for (const m of list) {
          x0 = Math.min(x0, m.x); x1 = Math.max(x1, m.x); y0 = Math.min(y0, m.y); y1 = Math.max(y1, m.y);
        }
        const k = Math.min((W - Math.min(180, W * .4)) / Math.max(x1 - x0, 1e-6), (H - 90) / Math.max(y1 - y0, 1e-6), homeK * 14);
        const to = Math.max(k, homeK);
        // Keep the map in the frame: no empty margin where there could be words.
        const inside = (c, size) => { const half = (size / 2 - 30) / to; return half < .5 ? clamp(c, half, 1 - half) : .5; };
        fly({ x: inside((x0 + x1) / 2, W), y: inside((y0 + y1) / 2, H), k: to });
      });
    }

    // ---- what is under the pointer --------------------------------------
    function hit(px, py) {
      for (const b of drawn) if (px >= b.x0 - 2 && px <= b.x1 + 2 && py >= b.y0 && py <= b.y1) return b;
      let best = null, dist = 13 * 13;
      for (const m of marks) {
        const d = (sx(m.x) - px) ** 2 + (sy(m.y) - py) ** 2;
        if (d < dist) { dist = d; best = m; }
      }
      if (best) return best;
      const reach = 13 / view.k, ax = wx(px), ay = wy(py);
      dist = 13 * 13;
      let found = -1;
      for (let r = cellOf(ay - reach); r <= cellOf(ay + reach); r++) {
        for (let c = cellOf(ax - reach); c <= cellOf(ax + reach); c++) {
          for (let e = start[r * CELLS + c]; e < start[r * CELLS + c + 1]; e++) {
            const i = ids[e], d = (sx(x[i]) - px) ** 2 + (sy(y[i]) - py) ** 2;
            if (d < dist) { dist = d; found = i; }
          }
        }
      }
      return found < 0 ? null : at(found);
    }
    const at = i => ({ word: words[i], i, x: x[i], y: y[i] });
    function find(word) {
      const i = index.get(word);
      if (i !== undefined) return at(i);
      return marks.find(m => m.word === word) || null;
    }

    const hint = number(n) + (n === 1 ? ' word. ' : ' words. ') + 'Drag to pan, ' + (options.wheel === 'focus' ? 'click and scroll' : 'scroll') + ' or pinch to zoom.';
    const guide = () => { live.textContent = hint; live.classList.add('hint'); };
    const tell = (...what) => { live.replaceChildren(...what); live.classList.remove('hint'); };
    function say(word) {
      const i = index.get(word);
      const bits = i === undefined ? ['not on the map itself, placed among its nearest words']
        : ['number ' + number(i + 1) + ' on the map'].concat(counts && counts[i] != null ? [number(counts[i]) + ' occurrences'] : []);
      tell(make('b', {}, shorten(word, 40)), ' ' + bits.join(', '));
    }
    function select(m, quiet) {
      selected = m ? { word: m.word, x: m.x, y: m.y, i: m.i } : null;
      if (!quiet) { if (m) say(m.word); else guide(); }
      redraw();
    }
    function pick(m) {
      select(m);
      if (options.onPick) options.onPick(m.word);
    }
    function hover(m) {
      if ((m && m.word) === (hovered && hovered.word)) return;
      hovered = m;
      canvas.classList.toggle('over', !!m);
      redraw();
    }

    // ---- pointer, wheel, keys -------------------------------------------
    const touches = new Map();
    let moved = 0, spread = 0;
    const spot = e => { const r = canvas.getBoundingClientRect(); return { x: e.clientX - r.left, y: e.clientY - r.top }; };
    const middle = () => {
      const [a, b] = [...touches.values()];
      return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, d: Math.hypot(a.x - b.x, a.y - b.y) };
    };
    const gentle = options.wheel === 'focus';
    const touchMode = () => { canvas.style.touchAction = gentle && document.activeElement !== canvas ? 'pan-y' : 'none'; };
    touchMode();
    canvas.addEventListener('focus', touchMode);
    canvas.addEventListener('blur', touchMode);
    canvas.addEventListener('pointerdown', e => {
      if (e.button) return;
      canvas.setPointerCapture(e.pointerId);
      touches.set(e.pointerId, spot(e));
      if (touches.size === 1) moved = 0;
      if (touches.size === 2) { moved = 99; spread = middle().d; }
    });
    canvas.addEventListener('pointermove', e => {
      const p = spot(e), was = touches.get(e.pointerId);
      if (!was) { if (e.pointerType !== 'touch') hover(hit(p.x, p.y)); return; }
      if (touches.size === 2) {
        const before = middle();
        touches.set(e.pointerId, p);
        const m = middle();
        panBy(m.x - before.x, m.y - before.y, true);
        if (spread > 0 && m.d > 0) zoomBy(m.d / spread, m.x, m.y, true);
        spread = m.d;
        return;
      }
      moved += Math.abs(p.x - was.x) + Math.abs(p.y - was.y);
      touches.set(e.pointerId, p);
      if (moved > 4) { hover(null); canvas.classList.add('drag'); panBy(p.x - was.x, p.y - was.y, true); }
    });
    const lift = e => {
      if (!touches.delete(e.pointerId)) return;
      canvas.classList.remove('drag');
      if (e.type === 'pointerup' && touches.size === 0 && moved <= 4) {
        const p = spot(e), m = hit(p.x, p.y);
        if (m) pick(m); else select(null);
      }
    };
    canvas.addEventListener('pointerup', lift);
    canvas.addEventListener('pointercancel', lift);
    canvas.addEventListener('pointerleave', () => { if (!touches.size) hover(null); });
    canvas.addEventListener('wheel', e => {
      if (gentle && !e.ctrlKey && document.activeElement !== canvas) return;
      e.preventDefault();
      const unit = e.deltaMode === 1 ? 16 : e.deltaMode === 2 ? H : 1;
      const p = spot(e);
      zoomBy(Math.exp(-clamp(e.deltaY * unit, -240, 240) * (e.ctrlKey ? .01 : .0022)), p.x, p.y, true);
    }, { passive: false });
    canvas.addEventListener('keydown', e => {
      if (e.altKey || e.metaKey || e.ctrlKey) return;
      const step = e.shiftKey ? 200 : 70;
      switch (e.key) {
        case 'ArrowLeft': panBy(step, 0); break;
        case 'ArrowRight': panBy(-step, 0); break;
        case 'ArrowUp': panBy(0, step); break;
        case 'ArrowDown': panBy(0, -step); break;
        case '+': case '=': zoomBy(1.5); break;
        case '-': case '_': zoomBy(1 / 1.5); break;
        case '0': case 'Home': home(); break;
        case '.': case '>': stepLabel(1); break;
        case ',': case '<': stepLabel(-1); break;
        case 'Enter': if (!selected) return; pick(selected); break;
        case 'Escape': if (!selected && !query) return; select(null); if (query) { input.value = ''; search(''); } break;
        default: return;
      }
      e.preventDefault();
    });
    function stepLabel(d) {
      const order = drawn.filter(b => b.x0 >= 0 && b.x1 <= W && b.y0 >= 0 && b.y1 <= H)
        .sort((a, b) => (a.i === undefined ? index.get(a.word) ?? -1 : a.i) - (b.i === undefined ? index.get(b.word) ?? -1 : b.i));
      if (!order.length) return;
      const now = selected ? order.findIndex(b => b.word === selected.word) : -1;
      select(order[(now + d + order.length + (now < 0 && d < 0 ? 1 : 0)) % order.length]);
    }

    // ---- search ---------------------------------------------------------
    let lower = null, listed = [], active = -1;
    function search(q) {
      query = q.trim();
      matches = [];
      matchTotal = 0;
      if (query) {
        if (!lower) lower = words.map(w => w.toLowerCase());
        const want = query.toLowerCase();
        const exact = [], begin = [], inside = [];
        for (let i = 0; i < n; i++) {
          if (lower[i] === want) exact.push(i);
          else if (lower[i].startsWith(want)) begin.push(i);
          else if (lower[i].includes(want)) inside.push(i);
        }
        matches = exact.concat(begin, inside);
        matchTotal = matches.length;
        matches.length = Math.min(matches.length, 200);
        tell((matchTotal === 0 ? 'No word on the map contains “' : number(matchTotal) +
          (matchTotal === 1 ? ' word on the map contains “' : ' words on the map contain “')) + shorten(query, 40) + '”');
      } else if (selected) say(selected.word);
      else guide();
      redraw();
      return matchTotal;
    }
    function list(open) {
      listed = open ? matches.slice(0, 8) : [];
      active = -1;
      hits.replaceChildren(...listed.map((i, p) => {
        const li = make('li', { id: id + 'hit' + p, title: words[i].length > 40 ? shorten(words[i], 200) : '' }, shorten(words[i], 60));
        li.setAttribute('role', 'option');
        li.setAttribute('aria-selected', 'false');
        li.addEventListener('pointerdown', e => { e.preventDefault(); choose(i); });
        return li;
      }));
      hits.hidden = !listed.length;
      input.setAttribute('aria-expanded', String(!!listed.length));
      input.removeAttribute('aria-activedescendant');
    }
    function mark(p) {
      active = p;
      [...hits.children].forEach((li, q) => li.setAttribute('aria-selected', String(q === p)));
      if (p >= 0) { input.setAttribute('aria-activedescendant', id + 'hit' + p); hits.children[p].scrollIntoView({ block: 'nearest' }); }
      else input.removeAttribute('aria-activedescendant');
    }
    function choose(i) {
      input.value = words[i];
      list(false);
      matches = [i];
      matchTotal = 1;
      query = words[i];
      focus(words[i]);
    }
    input.addEventListener('input', () => { search(input.value); list(!!query); });
    input.addEventListener('blur', () => list(false));
    input.addEventListener('keydown', e => {
      if (e.isComposing) return;
      if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
        if (!listed.length) { search(input.value); list(!!query); }
        const m = listed.length + 1;
        if (listed.length) mark((active + 1 + (e.key === 'ArrowDown' ? 1 : -1) + m) % m - 1);
        e.preventDefault();
      } else if (e.key === 'Enter') {
        if (active < 0) search(input.value);
        const i = active >= 0 ? listed[active] : matches[0];
        if (i !== undefined) choose(i);
        e.preventDefault();
      } else if (e.key === 'Escape') {
        if (!hits.hidden) list(false); else { input.value = ''; search(''); select(null); }
        e.preventDefault();
      }
    });

    // ---- what others call -----------------------------------------------
    function focus(word) {
      const m = find(word);
      if (!m) { tell('“' + shorten(word, 40) + '” is not on the map'); return false; }
      select(m);
      sized(() => fly({ x: m.x, y: m.y, k: Math.max(view.k, homeK * 5) }));
      return true;
    }
    function highlight(items, word, more = {}) {
      focusWord = word == null ? null : word;
      const seen = new Set();
      marks = (items || []).filter(m => Number.isFinite(m.x) && Number.isFinite(m.y) && !seen.has(m.word) && seen.add(m.word))
        .map(m => ({ word: m.word, x: m.x, y: m.y, weight: m.weight, placed: !!m.placed, under: !!m.under }));
      links = more.links || [];
      if (query) { input.value = ''; search(''); list(false); }
      hovered = null;
      const f = marks.find(m => m.word === focusWord);
      select(f || null);
      if (more.fit !== false) fit(marks);
      redraw();
    }
    function state() {
      return {
        words: n, zoom: homeK ? view.k / homeK : 1, x: view.x, y: view.y, width: W, height: H, dpr,
        labels: api.labels, boxes: drawn.map(b => ({ word: b.word, x0: b.x0, x1: b.x1, y0: b.y0, y1: b.y1 })),
        selected: selected && selected.word, hovered: hovered && hovered.word, focus: focusWord,
        highlighted: marks.map(m => m.word), matches: matchTotal, query, moving: !!flight, frameMs, frames, background: ink.bg, printing,
      };
    }

    const repaint = () => { if (!printing) { palette(); redraw(); } };
    const dark = root.matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', repaint);
    const before = () => {
      if (!W || printing) return;
      printing = true;
      const saved = { W, H, dpr, homeK, k: view.k };
      before.saved = saved;
      flight = null;
      W = PRINT.width; H = PRINT.height; dpr = PRINT.dpr;
      canvas.width = W * dpr; canvas.height = H * dpr;
      homeK = fitScale();
      view.k *= homeK / saved.homeK;
      ink = INK;
      draw();
    };
    const after = () => {
      if (!printing) return;
      printing = false;
      homeK = before.saved.homeK;
      view.k = before.saved.k;
      palette();
      resize();
    };
    root.addEventListener('beforeprint', before);
    root.addEventListener('afterprint', after);
    const watch = new ResizeObserver(resize);
    watch.observe(stage);

    const api = {
      labels: 0, highlight, hover: w => hover(w == null ? null : find(w)), focus, search: q => { input.value = q; return search(q); },
      home, zoomBy: f => zoomBy(f), state, redraw: repaint,
      clear: () => { marks = []; links = []; focusWord = null; select(null); },
      screen: w => { const m = find(w); return m && { x: sx(m.x), y: sy(m.y) }; },
      destroy: () => {
        gone = true;
        watch.disconnect();
        cancelAnimationFrame(frame);
        dark.removeEventListener('change', repaint);
        root.removeEventListener('beforeprint', before);
        root.removeEventListener('afterprint', after);
        element.replaceChildren();
        delete element.lexmillMap;
      },
    };
    element.lexmillMap = api;
    guide();
    palette();
    resize();
    return api;
  }

  root.LexmillMap = LexmillMap;
})(window);
