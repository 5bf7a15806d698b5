/**
 * The curves of one run, or of two on one another.
 */
import { element } from '../../dom.js';
import * as format from '../../format.js';
import { Chart } from '../chart.js';
import { percent } from '../figures.js';
import { series } from './model.js';
import * as words from './words.js';

/** The middle of an axis may lie between two whole numbers. @param {number} value */
const count = (value) => format.number(value, value % 1 ? 1 : 0);

/** @type {[string, [string, string][], (value: number) => string][]} */
const DRAWN = [
  ['Agents', [['there', 'live'], ['failed', 'failed']], count],
  ['Rate, all together', [['received', 'bitrate']], (value) => words.rate(value)],
  ['Lost in a second', [['packets', 'lost'], ['freezes', 'freezes']], count],
  ['Latency', [['median', 'latencyP50Ms'], ['99 in 100', 'latencyP99Ms']], (value) => words.ms(value) || '0 ms'],
];

export class Charts {
  #all = DRAWN.map(([title, , text]) => new Chart(title, text));
  #cpu = new Chart('CPU', (value) => percent(value));
  element = element('div', { class: 'pair' }, ...[...this.#all, this.#cpu].map(({ element: chart }) => element('section', { class: 'card' }, chart)));

  /** @param {import('./model.js').Found[]} runs the second is the one that is compared with */
  update(runs) {
    const all = runs.map(({ name, parts }) => ({ name, points: series(parts) }));
    const several = runs.length > 1;
    const step = stepOf(all[0]?.points ?? []);
    // Points of a longer run stand for more seconds each; both are drawn over the same seconds.
    const at = (/** @type {any[]} */ points, /** @type {(number|null)[]} */ values) => stretched(values, stepOf(points) / step);
    this.#all.forEach((chart, index) => {
      const lines = DRAWN[index][1].flatMap(([title, field]) =>
        all.map(({ name, points }, run) => ({ name: several ? `${title}, ${name}` : title, values: at(points, points.map((point) => point[field])), faint: run > 0, colour: DRAWN[index][1].findIndex(([, own]) => own === field) })),
      );
      chart.update(lines, step);
    });
    const busy = runs.flatMap((found, run) =>
      Object.entries(found.cpu).map(([node, values]) => ({
        name: `${node === found.target ? `target ${node}` : node}${several ? `, ${found.name}` : ''}`,
        values: at(all[run].points, bridged(values)),
        faint: run > 0,
        colour: node === found.target ? 0 : 1 + (Object.keys(found.cpu).filter((name) => name !== found.target).indexOf(node) % 3),
      })),
    );
    this.#cpu.update(busy, step);
    this.#cpu.element.parentElement?.toggleAttribute('hidden', busy.length === 0);
  }
}

/** Seconds from one point to the next; the first may stand for less. @param {any[]} points */
const stepOf = (points) => (points.length < 2 ? 1 : (points[points.length - 1].at - points[0].at) / (points.length - 1) || 1);

/** Each value as often as the points of the other run are denser. @param {(number|null)[]} values @param {number} factor */
function stretched(values, factor) {
  if (!(factor > 0) || Math.abs(factor - 1) < 0.05) return values;
  return Array.from({ length: Math.round(values.length * factor) }, (_, index) => values[Math.min(values.length - 1, Math.floor(index / factor))]);
}

/** What was asked every second or so has small gaps, which are not worth showing. @param {(number|null|undefined)[]} values @returns {(number|null)[]} */
export function bridged(values) {
  const GAP = 5;
  const filled = [];
  let last = -1;
  for (let index = 0; index < values.length; index += 1) {
    if (values[index] != null) last = index;
    filled.push(last >= 0 && index - last < GAP ? /** @type {number} */ (values[last]) : null);
  }
  return filled;
}
