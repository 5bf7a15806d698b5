/**
 * Plays by WSPlayer, on a canvas of its own.
 */
import { HeadwaterError } from '../errors.js';
import { WsPlayer } from '../wsplayer.js';

export class WsPlayerWay extends EventTarget {
  #player;
  /** The element that shows it: a canvas, since there is no `video` in it. */
  element;

  /** @param {import('./video.js').Wish} wish */
  constructor({ base, name, token, makeCanvas, volume, muted }) {
    super();
    const obstacle = WsPlayer.obstacle;
    if (obstacle) throw new HeadwaterError('unsupported', obstacle);
    const canvas = makeCanvas();
    this.element = canvas;
    this.#player = new WsPlayer({ base, name, token, canvas, volume, muted });
    for (const type of ['blocked', 'resize']) this.#player.addEventListener(type, () => this.dispatchEvent(new Event(type)));
    this.#player.addEventListener('lost', (event) => this.#lose(/** @type {CustomEvent} */ (event).detail));
  }

  get kinds() {
    return this.#player.kinds;
  }
  get missing() {
    return this.#player.missing;
  }
  get width() {
    return this.#player.width;
  }
  get height() {
    return this.#player.height;
  }
  get volume() {
    return this.#player.volume;
  }
  set volume(volume) {
    this.#player.volume = volume;
  }
  get muted() {
    return this.#player.muted;
  }
  set muted(muted) {
    this.#player.muted = muted;
  }
  get seekable() {
    return null;
  }
  /** What is heard. */
  get output() {
    return this.#player.output;
  }

  /** Resolves when the server has said what comes; `playing` follows with the first picture. */
  async start() {
    let isAnswered = false;
    const answered = new Promise((done) => this.#player.addEventListener('tracks', done, { once: true })).then(() => (isAnswered = true));
    const begun = this.#player.start().then(() => this.dispatchEvent(new Event('playing')));
    begun.catch((error) => isAnswered && this.#lose(error));
    await Promise.race([answered, begun]);
  }

  /** @param {HeadwaterError} error */
  #lose(error) {
    this.stop();
    this.dispatchEvent(new CustomEvent('lost', { detail: error }));
  }

  stats() {
    return this.#player.stats();
  }

  async renditions() {
    return [];
  }

  async stop() {
    this.element.remove();
    await this.#player.stop();
  }
}
