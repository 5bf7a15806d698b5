/**
 * What the ways have in common whose player is a module of its own: MSE and WSPlayer.
 */
import { HeadwaterError } from '../errors.js';

export class WrappedWay extends EventTarget {
  /**
   * @param {any} player
   * @param {HTMLVideoElement|HTMLCanvasElement} element
   */
  constructor(player, element) {
    super();
    this.player = player;
    /** The element that shows it. */
    this.element = element;
    for (const type of ['blocked', 'resize']) player.addEventListener(type, () => this.dispatchEvent(new Event(type)));
    player.addEventListener('lost', (/** @type {CustomEvent} */ { detail }) => this.#lose(detail));
  }

  get kinds() {
    return this.player.kinds;
  }
  get missing() {
    return this.player.missing;
  }
  get width() {
    return this.player.width;
  }
  get height() {
    return this.player.height;
  }
  get volume() {
    return this.player.volume;
  }
  set volume(volume) {
    this.player.volume = volume;
  }
  get muted() {
    return this.player.muted;
  }
  set muted(muted) {
    this.player.muted = muted;
  }
  /** What is heard, as an audio node. */
  get output() {
    return this.player.output ?? null;
  }
  get seekable() {
    return null;
  }

  /** Resolves when the server has said what comes; `playing` follows when something is seen or heard. */
  async start() {
    let isAnswered = false;
    const answered = new Promise((done) => this.player.addEventListener('tracks', done, { once: true })).then(() => (isAnswered = true));
    const begun = this.player.start().then(() => this.dispatchEvent(new Event('playing')));
    begun.catch((/** @type {HeadwaterError} */ error) => isAnswered && this.#lose(error));
    await Promise.race([answered, begun]);
  }

  /** @param {HeadwaterError} error */
  #lose(error) {
    this.stop();
    this.dispatchEvent(new CustomEvent('lost', { detail: error }));
  }

  stats() {
    return this.player.stats();
  }

  async renditions() {
    return [];
  }

  async stop() {
    await this.player.stop();
  }

  /** @param {string} obstacle */
  static check(obstacle) {
    if (obstacle) throw new HeadwaterError('unsupported', obstacle);
  }
}
