/* The report's own script: the map, the links from the neighbour columns to it,
   and folded settings opened for printing. */
(function () {
  'use strict';
  const data = JSON.parse(document.getElementById('map-data').textContent);
  const box = document.getElementById('word-map');
  const map = data.words && data.words.length ? LexmillMap(box, data, { label: 'Map of the most frequent words', wheel: 'focus' }) : null;
  const index = new Map((data.words || []).map((w, i) => [w, i]));

  // <div data-word="sun"><h3><bdi class="word">sun</bdi></h3><ol><li data-word="moon" data-cosine="0.7">…
  for (const column of map ? document.querySelectorAll('#neighbour-columns > [data-word]') : []) {
    const items = [column, ...column.querySelectorAll('li[data-word]')].filter(e => index.has(e.dataset.word)).map(e => {
      const i = index.get(e.dataset.word);
      return { word: e.dataset.word, x: data.x[i], y: data.y[i], weight: Number(e.dataset.cosine || 1) };
    });
    if (!items.length) continue;
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'plain';
    button.textContent = 'on map';
    button.setAttribute('aria-label', 'Show ' + column.dataset.word + ' and its neighbours on the map');
    button.addEventListener('click', () => {
      map.highlight(items, column.dataset.word);
      box.scrollIntoView({ block: 'center', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
    });
    column.querySelector('h3').append(button);
  }

  let closed = [];
  addEventListener('beforeprint', () => {
    closed = [...document.querySelectorAll('details:not([open])')];
    for (const d of closed) d.open = true;
  });
  addEventListener('afterprint', () => { for (const d of closed) d.open = false; closed = []; });
})();
