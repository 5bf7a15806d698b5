/**
 * Lines over time, drawn as SVG.
 */
import { element, setText } from '../dom.js';

const SPACE = 'http://www.w3.org/2000/svg';

/** @param {string} tag @param {Record<string, string|number>} attributes */
function draw(tag, attributes = {}) {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

/**
 * A path through points; a gap where a value is missing.
 * @param {(number|null|undefined)[]} values
 * @param {(index: number) => number} x
 * @param {(value: number) => number} y
 */
export function pathOf(values, x, y) {
  let path = '';
  let joined = false;
  values.forEach((value, index) => {
    if (value == null || !Number.isFinite(value)) return void (joined = false);
    path += `${joined ? 'L' : 'M'}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
    joined = true;
  });
  return path;
}

/** The least of 1, 2 or 5 times a power of ten that is not below. @param {number} value */
export function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.9999) ?? value;
}

/** A line without axes, as wide as its place. */
export class Sparkline {
  #area = draw('path', { class: 'area' });
  #line = draw('path', { class: 'line' });
  element = draw('svg', { class: 'spark', viewBox: '0 0 100 28', preserveAspectRatio: 'none', 'aria-hidden': 'true' });

  constructor() {
    this.element.append(this.#area, this.#line);
  }

  /** @param {(number|null)[]} values @param {number} [ceiling] what is drawn at the top, at least */
  update(values, ceiling = 0) {
    values = values.slice(Math.max(0, values.findIndex((value) => value !== null)));
    const top = Math.max(ceiling, ...values.map((value) => value ?? 0)) || 1;
    const x = (/** @type {number} */ index) => (values.length < 2 ? 100 : (index / (values.length - 1)) * 100);
    const path = pathOf(values, x, (value) => 26 - (value / top) * 24);
    this.#line.setAttribute('d', path);
    this.#area.setAttribute('d', path && !path.slice(1).includes('M') ? `${path}L100 28L${path.slice(1).split(' ')[0]} 28Z` : '');
  }
}

/** Until it is known how wide its place is. */
const WIDTH = 560;
const HEIGHT = 180;
const PAD = { left: 72, right: 8, top: 10, bottom: 22 };
const LINES = 4;

/**
 * @typedef {object} Line
 * @property {string} name
 * @property {(number|null|undefined)[]} values
 * @property {boolean} [faint]   of the run that another is compared with
 * @property {number} [colour]   which of the colours; without it, as the line stands in the list
 */

/** Lines with axes and a legend; what stands under the pointer is told, or where the arrow keys have gone. */
export class Chart {
  #grid = draw('g', { class: 'grid' });
  #lines = draw('g');
  #cursor = draw('line', { class: 'cursor', y1: PAD.top, y2: HEIGHT - PAD.bottom, visibility: 'hidden' });
  #legend = element('ul', { class: 'legend' });
  #svg = draw('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', tabindex: '0' });
  /** @type {Line[]} */
  #shown = [];
  #format;
  #step = 1;
  #width = WIDTH;
  /** Which values are told; the last ones if none. @type {number|null} */
  #at = null;
  #title;
  element;

  /** @param {string} title @param {(value: number) => string} format */
  constructor(title, format) {
    this.#format = format;
    this.#title = title;
    this.#svg.append(this.#grid, this.#lines, this.#cursor);
    this.element = element('figure', { class: 'chart' }, element('figcaption', {}, title), this.#svg, this.#legend);
    this.#svg.addEventListener('pointermove', (event) => this.#point(/** @type {PointerEvent} */ (event)));
    this.#svg.addEventListener('pointerleave', () => this.#go(null));
    this.#svg.addEventListener('blur', () => this.#go(null));
    this.#svg.addEventListener('keydown', (event) => this.#press(/** @type {KeyboardEvent} */ (event)));
  }

  /** @param {Line[]} lines @param {number} [step] seconds between two values */
  update(lines, step = 1) {
    this.#shown = lines;
    this.#step = step;
    this.#width = Math.max(200, this.#svg.clientWidth || WIDTH);
    this.#svg.setAttribute('viewBox', `0 0 ${this.#width} ${HEIGHT}`);
    const all = lines.flatMap(({ values }) => values).filter((value) => value != null && Number.isFinite(value));
    const top = niceCeiling(Math.max(0, .../** @type {number[]} */ (all)));
    const y = (/** @type {number} */ value) => PAD.top + (1 - value / top) * (HEIGHT - PAD.top - PAD.bottom);
    this.#grid.replaceChildren(...this.#axes(top, y));
    this.#lines.replaceChildren(
      ...lines.map((line, index) => draw('path', { class: `line ${look(line, index)}`, d: pathOf(line.values, (at) => this.#x(at), y) })),
    );
    this.#go(this.#at);
  }

  get #count() {
    return Math.max(2, ...this.#shown.map(({ values }) => values.length));
  }

  /** @param {number} index */
  #x(index) {
    return PAD.left + (index / (this.#count - 1)) * (this.#width - PAD.left - PAD.right);
  }

  /** @param {number} top @param {(value: number) => number} y */
  #axes(top, y) {
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      const at = y(top * share);
      const label = draw('text', { x: PAD.left - 8, y: at + 4, 'text-anchor': 'end' });
      setText(label, this.#format(top * share));
      parts.push(draw('line', { x1: PAD.left, x2: this.#width - PAD.right, y1: at, y2: at }), label);
    }
    const seconds = (this.#count - 1) * this.#step;
    const [begin, end] = ['start', 'end'].map((anchor, index) => draw('text', { x: index ? this.#width - PAD.right : PAD.left, y: HEIGHT - 6, 'text-anchor': anchor }));
    setText(begin, '0 s');
    setText(end, `${Math.round(seconds)} s`);
    return [...parts, begin, end];
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const box = this.#svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.#width;
    this.#go(Math.round(((x - PAD.left) / (this.#width - PAD.left - PAD.right)) * (this.#count - 1)));
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const last = this.#count - 1;
    const page = Math.max(1, Math.round(last / 10));
    const step = { ArrowLeft: -1, ArrowRight: 1, PageDown: -page, PageUp: page, Home: -last, End: last }[event.key];
    if (event.key === 'Escape') this.#go(null);
    if (step === undefined) return;
    event.preventDefault();
    this.#go((this.#at ?? last) + step);
  }

  /** Tells what stands at a place. @param {number|null} index */
  #go(index) {
    this.#at = index === null ? null : Math.min(this.#count - 1, Math.max(0, index));
    this.#cursor.setAttribute('visibility', this.#at === null ? 'hidden' : 'visible');
    if (this.#at !== null) for (const name of ['x1', 'x2']) this.#cursor.setAttribute(name, String(this.#x(this.#at)));
    this.#tell(this.#at);
  }

  /** Values at a place, or the last. @param {number|null} at */
  #tell(at) {
    const told = this.#shown.map(({ name, values }) => {
      const value = values[at ?? values.length - 1];
      return /** @type {const} */ ([name, value == null || !Number.isFinite(value) ? '–' : this.#format(value)]);
    });
    const items = told.map(([name, value], index) => {
      const key = element('i', { class: `key ${look(this.#shown[index], index)}`, 'aria-hidden': 'true' });
      return element('li', {}, key, name, ' ', element('b', {}, value));
    });
    this.#legend.replaceChildren(...items);
    const when = at === null ? 'now' : `after ${Math.round(at * this.#step)} s`;
    this.#svg.setAttribute('aria-label', `${this.#title}, ${when}: ${told.map((pair) => pair.join(' ')).join(', ')}`);
  }
}

/** @param {Line} line @param {number} index */
const look = ({ faint, colour }, index) => `line-${(colour ?? index) % LINES}${faint ? ' faint' : ''}`;
