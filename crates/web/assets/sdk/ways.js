/**
 * The ways in which a browser can play a stream, in an order, and what was found out about each.
 *
 * @import { Way } from './player.d.ts'
 */
import { HeadwaterError, loaded } from './errors.js';

/** What people call them; in the order in which they are tried. */
export const NAMES = { webrtc: 'WebRTC', mse: 'MSE', wsplayer: 'WSPlayer', hls: 'HLS' };
export const WAYS = /** @type {Way[]} */ (Object.keys(NAMES));

/** How long each may take from the server's word to the first picture, in ms; a way that has not begun then is given up. */
export const DEADLINE_MS = { webrtc: 6000, mse: 5000, wsplayer: 5000, hls: 12_000 };

/** What another way would not meet as well: it is said of the stream or of the viewer. */
const FOR_ALL = ['refused', 'not-live', 'starting', 'busy', 'stopped', 'invalid'];
/** What the same way will meet again. */
const HOPELESS = ['codec', 'unsupported'];

/** Loads what plays in a way. @param {Way} way */
export async function load(way) {
  if (way === 'webrtc') return (await loaded(import('./ways/webrtc.js'))).WebRtcWay;
  if (way === 'mse') return (await loaded(import('./ways/mse.js'))).MseWay;
  if (way === 'wsplayer') return (await loaded(import('./ways/wsplayer.js'))).WsPlayerWay;
  return (await loaded(import('./ways/hls.js'))).HlsWay;
}

/** Goes from way to way. A round begins with the way that played last and ends when none is left. */
export class Rounds {
  #order;
  #index = 0;
  #first = 0;
  /** The ways that failed in this round, or before the one that plays. @type {{way: Way, error: HeadwaterError}[]} */
  tried = [];

  /** @param {Way[]} order */
  constructor(order) {
    const unknown = order.find((way) => !WAYS.includes(way));
    if (unknown || order.length === 0) throw new HeadwaterError('invalid', `there is no way to play called “${unknown ?? ''}”`);
    this.#order = [...new Set(order)];
  }

  get order() {
    return [...this.#order];
  }

  get way() {
    return this.#order[this.#index];
  }

  /** Whether a way is left that has not been tried in this round. */
  get hasNext() {
    return (this.#index + 1) % this.#order.length !== this.#first;
  }

  /** Begins anew with the way that is liked best. */
  begin() {
    this.#index = this.#first = 0;
    this.tried = [];
  }

  /** This way plays: if it is lost, it is tried first. */
  settle() {
    this.#first = this.#index;
  }

  /**
   * This way failed. Yields what to do: try the `next` way at once, the `same` one later, or to give `up`.
   * @param {HeadwaterError} error
   * @param {boolean} hadPlayed
   * @returns {'next'|'same'|'up'}
   */
  fail(error, hadPlayed) {
    if (error.code === 'refused') return 'up';
    if (FOR_ALL.includes(error.code)) return 'same';
    if (hadPlayed && !HOPELESS.includes(error.code)) return 'same';
    if (hadPlayed) this.tried = [];
    this.tried.push({ way: this.way, error });
    if (this.hasNext) {
      this.#index = (this.#index + 1) % this.#order.length;
      return 'next';
    }
    return this.tried.every(({ error: { code } }) => HOPELESS.includes(code)) ? 'up' : 'same';
  }

  /** What is said when no way was found: the first thing that may pass, else what the way liked best says. */
  get verdict() {
    const errors = this.tried.map(({ error }) => error);
    return errors.find(({ passing }) => passing) ?? errors.find(({ code }) => code === 'codec') ?? errors[0] ?? null;
  }

  /** Which way plays, and why not one that is liked better, as a sentence. */
  get why() {
    const before = this.tried.map(({ way, error }) => `${NAMES[way]} did not: ${error.message}`);
    return before.length ? `By ${NAMES[this.way]}, since ${before.join(' ')}` : `By ${NAMES[this.way]}, the first choice.`;
  }
}
