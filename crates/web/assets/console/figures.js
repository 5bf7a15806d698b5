/**
 * What the counters of a server, asked for again and again, say of the time between.
 *
 * @typedef {object} Sample
 * @property {number} at        ms of the server's own clock
 * @property {number|null} cpu  percent of its processors
 * @property {number} memory    bytes
 * @property {number|null} in   bit/s from publishers
 * @property {number|null} out  bit/s to viewers
 * @property {number} streams
 * @property {number} viewers
 * @property {number} clients
 */

const KEPT = 90;

/** @param {Record<string, number>} counts */
export const sum = (counts) => Object.values(counts ?? {}).reduce((all, count) => all + count, 0);

/** The last minutes of one server. */
export class History {
  /** @type {Sample[]} */
  samples = [];
  /** @type {any} */
  #before = null;

  get last() {
    return this.samples.at(-1) ?? null;
  }

  /** @param {any} figures as the API tells them */
  add(figures) {
    const before = this.#before;
    const seconds = before ? (figures.uptimeMs - before.uptimeMs) / 1000 : 0;
    if (before && seconds === 0) return;
    if (seconds < 0) this.samples = []; // it was started anew
    const per = (/** @type {string} */ name) => (seconds > 0 ? Math.max(0, figures[name] - before[name]) / seconds : null);
    const busy = per('cpuSeconds');
    const bits = (/** @type {number|null} */ bytes) => (bytes === null ? null : bytes * 8);
    this.#before = figures;
    this.samples.push({
      at: figures.uptimeMs,
      cpu: busy === null || !Number.isFinite(busy) ? null : Math.min(100, (busy / Math.max(1, figures.processors)) * 100),
      memory: figures.memoryBytes ?? 0,
      in: bits(per('bytesIn')),
      out: bits(per('bytesOut')),
      streams: sum(figures.streams),
      viewers: sum(figures.viewers),
      clients: figures.clients ?? 0,
    });
    if (this.samples.length > KEPT) this.samples.shift();
  }
}

/** `312 MB`. @param {number} bytes */
export function bytes(bytes) {
  if (!bytes) return '';
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  while (bytes >= 999.5 && unit < units.length - 1) {
    bytes /= 1000;
    unit += 1;
  }
  return `${bytes.toFixed(unit > 2 && bytes < 100 ? 1 : 0)} ${units[unit]}`;
}

/** @param {number|null|undefined} value @param {number} [digits] */
export const percent = (value, digits = 0) => (value == null || !Number.isFinite(value) ? '' : `${value.toFixed(digits)} %`);
