/**
 * Two runs beside one another: what got worse, and both lines in each chart.
 */
import { element, setText } from '../../dom.js';
import { repeat } from '../poll.js';
import { Table } from '../table.js';
import { Charts } from './charts.js';
import * as kept from './kept.js';
import { Live } from './live.js';
import { compare, summary } from './model.js';
import * as words from './words.js';

const REFRESH_MS = 2000;
/** @type {Record<string, [string, string]>} */
const VERDICTS = { worse: ['worse', 'bad'], better: ['better', 'good'], same: ['as before', ''], unknown: ['not measured', ''] };

/**
 * Follows a run that goes on, or yields one that was kept.
 * @param {import('../client.js').Client} client
 * @param {string} key  `kept:ID` or `run:NAME@NODE,NODE`
 */
function source(client, key) {
  if (key.startsWith('kept:')) {
    const old = kept.find(key.slice('kept:'.length));
    return { title: old?.title ?? '', ask: async () => old && { ...old.found, name: old.title }, problems: () => /** @type {string[]} */ ([]) };
  }
  const [name, nodes = ''] = key.replace(/^run:/, '').split('@');
  const live = new Live(client, name, nodes.split(',').filter(Boolean), '');
  return {
    title: name,
    ask: async (/** @type {AbortSignal} */ signal) => {
      await live.ask(signal);
      return live.found.parts.length ? live.found : null;
    },
    problems: () => [...live.problems.values()],
  };
}

/** @param {HTMLElement} place @param {import('../main.js').Context} context */
export function showComparison(place, { client, query, trouble }) {
  const sources = ['a', 'b'].map((side) => source(client, query.get(side) ?? ''));
  const [before, after] = sources.map(({ title }) => title);
  const verdict = element('p', { class: 'summary', role: 'status' });
  const table = new Table(`${before} and ${after}`, columns(), (row) => row.key);
  const charts = new Charts();
  const body = element('div', { class: 'stack', hidden: '' }, element('section', { class: 'card' }, table.element), charts.element);
  const missing = element('p', { class: 'nothing', hidden: '' }, 'One of these runs is no longer there.');
  const swap = element('a', { class: 'button plain small', href: `#/load/compare?${new URLSearchParams({ a: query.get('b') ?? '', b: query.get('a') ?? '' })}` }, 'The other way round');
  place.append(
    element('p', {}, element('a', { class: 'back', href: '#/load' }, 'Load')),
    element('div', { class: 'heading' }, element('h1', { class: 'long' }, `${before} and then ${after}`), swap),
    verdict, missing, body,
  );

  const polling = repeat(async (signal) => {
    const found = await Promise.all(sources.map(({ ask }) => ask(signal)));
    if (signal.aborted) return;
    const [a, b] = found;
    body.hidden = !a || !b;
    missing.hidden = Boolean(a && b);
    trouble(sources.flatMap(({ problems }) => problems()).join(' '));
    if (!a || !b) return;
    const all = compare(summary(a), summary(b));
    table.update(all);
    const worse = all.filter((row) => row.verdict === 'worse').length;
    const better = all.filter((row) => row.verdict === 'better').length;
    setText(verdict, worse ? `${worse} of ${all.length} figures got worse, ${better} better.` : better ? `Nothing got worse, ${better} figures got better.` : 'Both fare alike.');
    charts.update([{ ...b, name: after }, { ...a, name: before }]);
  }, REFRESH_MS);

  function columns() {
    return [
      { title: 'Figure', text: (/** @type {any} */ row) => row.title },
      { title: before, number: true, text: (/** @type {any} */ row) => words.figure(row.before, row.unit) },
      { title: after, number: true, text: (/** @type {any} */ row) => words.figure(row.after, row.unit) },
      { title: 'Change', number: true, text: (/** @type {any} */ row) => (row.change === null ? '' : `${row.change > 0 ? '+' : row.change < 0 ? '−' : '±'}${Math.abs(row.change * 100).toFixed(0)} %`) },
      {
        title: 'Verdict',
        fill: (/** @type {HTMLElement} */ cell, /** @type {any} */ row) => {
          if (!cell.firstElementChild) cell.replaceChildren(element('span', { class: 'badge' }));
          const badge = /** @type {HTMLElement} */ (cell.firstElementChild);
          const [text, tone] = VERDICTS[row.verdict];
          setText(badge, text);
          badge.className = `badge ${tone}`;
        },
      },
    ];
  }

  return () => polling.stop();
}
