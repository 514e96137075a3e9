// node vectors.mjs FILE: embeddings for the test of the explorer, in word2vec's text format. Words of a
// group are near each other; the words that the test asks for are among the frequent ones.
import { writeFileSync } from 'node:fs';

const groups = [
  ['sun', 'moon', 'sky', 'star', 'cloud', 'light', 'sunday', 'sunny'],
  ['water', 'river', 'sea', 'lake', 'rain', 'ice'],
  ['man', 'woman', 'king', 'queen', 'prince', 'princess'],
  ['international', 'internet', 'interest', 'internal'],
];
const dimensions = 20;
let state = 7;
const random = () => {
  // A linear congruential generator: the same numbers everywhere.
  state = (state * 1103515245 + 12345) % 2147483648;
  return state / 2147483648 - 0.5;
};
const vector = spread => Array.from({ length: dimensions }, () => random() * spread);
const add = (a, b) => a.map((x, i) => x + b[i]);

const rows = [];
for (const group of groups) {
  const center = vector(2);
  for (const word of group) rows.push([word, add(center, vector(0.5))]);
}
const royal = vector(2), female = vector(2);
const word = name => rows.find(row => row[0] === name)[1];
const set = (name, value) => rows.splice(rows.findIndex(row => row[0] === name), 1, [name, value]);
set('woman', add(word('man'), female));
set('king', add(word('man'), royal));
set('queen', add(add(word('man'), royal), female));
const letters = 'abcdefghijklmnoprstuvw';
for (let i = 0; i < 3000; i++) {
  const group = i % 60;
  if (group === i) groups.push(vector(2));
  const center = groups[4 + group];
  const syllable = n => letters[n % letters.length] + 'aeiou'[n % 5];
  rows.push([syllable(i) + syllable(i * 7 + 3) + syllable(i * 31 + 11) + i.toString(36), add(center, vector(2.5))]);
}
// What a page must show and never obey.
for (const name of ['<script>window.pwned=1</script>', '"><img src=x onerror=window.pwned=1>', 'c++', '%41', 'a#b&w=c', '👩‍👩‍👧', 'שלום', 'x'.repeat(1000)]) rows.push([name.replaceAll(' ', '\u2581'), vector(2)]);
const text = rows.map(([name, values]) => name + ' ' + values.map(x => x.toFixed(5)).join(' ')).join('\n');
writeFileSync(process.argv[2], `${rows.length} ${dimensions}\n${text}\n`);
