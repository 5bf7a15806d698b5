/**
 * Which of several sizes of a picture is played: the largest that the network carries.
 *
 * @import { Level } from './hls-playlist.js'
 */

/** What was fetched in the last moments is what counts, or the last of them alone where there is little time, in milliseconds. */
const RECENT_MS = 4000;
const LATEST_MS = 1200;
/** So much time or so many bytes say something. */
const ENOUGH_MS = 250;
const ENOUGH_BYTES = 30_000;
/** Fetches whose wait for the first byte is remembered: the shortest is the way there and back. */
const WAITS_MAX = 20;
/** A size is kept while it takes no more than this of what the network carries, and one is turned to that takes no more than those. */
const KEEP = 0.95;
const DOWN = 0.7;
const UP = 0.6;
/** Before the next larger one, in milliseconds. */
const UP_REST_MS = 6000;
const DOWN_REST_MS = 1500;

/** What is under way, and since when its bytes could come. @typedef {{begun: number, since: number, hasCome: boolean}} Fetch */

/** How fast pieces come, of all that are fetched at once: their bytes, by the time in which any of them could come. */
export class Rate {
  /** @type {Set<Fetch>} */
  #active = new Set();
  /** Up to when time is counted. */
  #until = 0;
  /** @type {number[]} */
  #waits = [];
  /** @type {{at: number, ms: number, bytes: number}[]} */
  #recent = [];
  total = 0;

  /** Something is asked for that has not been here before. @returns {Fetch} */
  begin(now = performance.now()) {
    const fetch = { begun: now, since: now + Math.min(...this.#waits, 1000), hasCome: false };
    if (this.#waits.length === 0) fetch.since = now;
    this.#active.add(fetch);
    return fetch;
  }

  /** Some of it has come. @param {Fetch} fetch @param {number} bytes */
  add(fetch, bytes, now = performance.now()) {
    if (!fetch.hasCome) this.#waits = [...this.#waits, now - fetch.begun].slice(-WAITS_MAX);
    fetch.hasCome = true;
    this.total += bytes;
    this.#recent = this.#recent.filter(({ at }) => now - at < RECENT_MS);
    this.#recent.push({ at: now, ms: this.#since(now), bytes });
    this.#until = now;
  }

  /** All of it has come, or no more will. @param {Fetch} fetch */
  end(fetch, now = performance.now()) {
    this.add(fetch, 0, now);
    this.#active.delete(fetch);
  }

  /** Time that is not counted yet in which something could have come. @param {number} now */
  #since(now) {
    const since = Math.min(...[...this.#active].map((fetch) => fetch.since));
    return Math.max(0, now - Math.max(since, this.#until));
  }

  /** @param {number} span @param {number} now */
  #over(span, now) {
    let [bytes, ms] = [0, this.#since(now)];
    for (const entry of this.#recent) {
      if (now - entry.at > span) continue;
      bytes += entry.bytes;
      ms += entry.ms;
    }
    return ms < ENOUGH_MS && bytes < ENOUGH_BYTES ? null : (bytes * 8000) / Math.max(ms, 1);
  }

  /** Bits in a second; null if little has been fetched. */
  get value() {
    return this.#over(RECENT_MS, performance.now());
  }

  /** The same, or what came in the very last moments if that is less. */
  lowest(now = performance.now()) {
    const [recent, latest] = [this.#over(RECENT_MS, now), this.#over(LATEST_MS, now)];
    return recent === null || latest === null ? recent : Math.min(recent, latest);
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
