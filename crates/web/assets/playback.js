/**
 * The player of the SDK as the page of a stream has it: with the delay that the clock in a picture tells, and with what
 * the server's API says of the stream.
 *
 * Events: those of the player; `state`, `stats` (once a second), `blocked` (sound needs the viewer's tap).
 *
 * @typedef {import('./sdk/player.d.ts').PlayerState} PlaybackState
 * @typedef {import('./sdk/player.d.ts').Way} Way
 */
import { liveStream } from './api.js';
import { ClockReader } from './clock.js';
import { Player } from './sdk/player.js';

export class Playback extends Player {
  /** @type {ClockReader|null} */
  #clock = null;
  /** What the API says of the stream. @type {import('./api.js').LiveStream|null} */
  stream = null;

  /**
   * @param {HTMLVideoElement} video
   * @param {string} name
   * @param {Way[]} [ways]
   */
  constructor(video, name, ways) {
    super({ display: video, name, ways });
    this.addEventListener('state', () => this.error?.code === 'codec' && this.state === 'error' && !this.stream && this.#explainCodec());
  }

  /**
   * The best that is known of the delay: read from the picture, else estimated from the buffers.
   * @returns {{ms: number, measured: boolean, p50?: number, p95?: number, samples?: number, good?: number, bad?: number}|null}
   */
  get latency() {
    if (this.state !== 'playing' && this.state !== 'stalled') return null;
    const read = this.#clock?.latency;
    if (read) return { measured: true, ...read };
    const guess = this.stats?.estimatedLatencyMs ?? null;
    return guess === null ? null : { measured: false, ms: guess };
  }

  dropped() {
    this.#clock?.stop();
    this.#clock = null;
  }

  attached() {
    this.#clock = new ClockReader(this.element);
    this.#clock.start();
    if (this.kinds.length < 2) this.askWhatItIs();
  }

  async hasEnded() {
    return (await liveStream(this.name)) === null;
  }

  /** Asks the API what is published, to show it and to say what of it does not come. */
  async askWhatItIs() {
    const { sessions } = this;
    const found = await liveStream(this.name);
    if (sessions !== this.sessions || !this.running) return;
    this.stream = found ?? null;
    const flows = this.state === 'playing' || this.state === 'stalled';
    if (flows && found?.hasVideo && !this.kinds.includes('video')) {
      this.warn(`There is sound only: this browser does not take the picture (${found.videoCodec || 'unknown codec'}) by ${this.wayName}.`);
    } else if (flows && found?.hasAudio && !this.kinds.includes('audio')) {
      this.warn(`There is no sound: this browser does not take it (${found.audioCodec || 'unknown codec'}) by ${this.wayName}.`);
    }
    this.dispatchEvent(new Event('stats'));
  }

  async #explainCodec() {
    const { error } = this;
    this.stream = (await liveStream(this.name)) ?? null;
    if (this.stream && this.error === error) this.dispatchEvent(new Event('state'));
  }
}
