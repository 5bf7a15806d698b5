/**
 * Which of several sizes of a picture is played: the largest that the network carries.
 *
 * @import { Level } from './hls-playlist.js'
 */

/** What was fetched in the last moments is what counts, in milliseconds. */
const RECENT_MS = 4000;
/** A size is kept while it takes no more than this of what the network carries, and one is turned to that takes no more than those. */
const KEEP = 0.95;
const DOWN = 0.8;
const UP = 0.6;
/** Before the next larger one, in milliseconds. */
const UP_REST_MS = 6000;
const DOWN_REST_MS = 1500;

/** How fast pieces come, of all that are fetched at once. */
export class Rate {
  #active = 0;
  #since = 0;
  #bytes = 0;
  /** @type {{at: number, ms: number, bytes: number}[]} */
  #recent = [];
  total = 0;

  begin() {
    if (this.#active++ === 0) this.#since = performance.now();
  }

  /** @param {number} bytes */
  end(bytes) {
    this.total += bytes;
    this.#bytes += bytes;
    if (--this.#active > 0) return;
    const at = performance.now();
    this.#recent.push({ at, ms: at - this.#since, bytes: this.#bytes });
    this.#bytes = 0;
    this.#recent = this.#recent.filter((entry) => at - entry.at < RECENT_MS);
  }

  /** Bits in a second; null if little has been fetched. What is under way for long counts as well. */
  get value() {
    const waiting = this.#active > 0 ? performance.now() - this.#since : 0;
    const [bytes, ms] = this.#recent.reduce(([bytes, ms], entry) => [bytes + entry.bytes, ms + entry.ms], [this.#bytes, waiting > 1000 ? waiting : 0]);
    return this.#recent.length > 3 || waiting > 1000 ? (bytes * 8000) / Math.max(ms, 1) : null;
  }
}

/**
 * The level to turn to; that in force if it may stay.
 * @param {Level[]} levels  the best first
 * @param {number} current  its place
 * @param {number|null} rate  bits in a second
 * @param {number} restedMs  since the last turn
 */
export function fitting(levels, current, rate, restedMs) {
  if (rate === null || restedMs < DOWN_REST_MS) return current;
  const within = (/** @type {number} */ share) => {
    const found = levels.findIndex(({ bandwidth }) => bandwidth <= rate * share);
    return found < 0 ? levels.length - 1 : found;
  };
  if (levels[current].bandwidth > rate * KEEP) return Math.max(current, within(DOWN));
  return restedMs < UP_REST_MS ? current : Math.min(current, Math.max(within(UP), current - 1));
}
