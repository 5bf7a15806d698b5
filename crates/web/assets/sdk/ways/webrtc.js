/**
 * Plays by WebRTC: the least delay.
 */
import { HeadwaterError } from '../errors.js';
import { StatsReader } from '../stats.js';
import { WhepClient } from '../whep.js';
import { VideoWay } from './video.js';

export class WebRtcWay extends VideoWay {
  /** @type {WhepClient} */
  #client;
  #reader = new StatsReader();

  /** @param {import('./video.js').Wish} wish */
  constructor(wish) {
    super(wish);
    const { base, name, token, iceServers } = wish;
    const path = name.split('/').map(encodeURIComponent).join('/');
    this.#client = new WhepClient(new URL(`${path}/whep`, base), { token, iceServers });
    this.#client.addEventListener('lost', (event) => this.lose(/** @type {CustomEvent} */ (event).detail));
  }

  get peer() {
    return this.#client.peer;
  }

  get kinds() {
    return this.#client.kinds;
  }

  async start() {
    if (!('RTCPeerConnection' in globalThis)) throw new HeadwaterError('unsupported', 'this browser has no WebRTC');
    const media = await this.#client.start();
    if (this.leave.signal.aborted) throw new HeadwaterError('stopped');
    if (media.getTracks().length === 0) throw new HeadwaterError('codec', 'neither its picture nor its sound can be sent to this browser');
    this.wish.video.srcObject = media;
    this.show();
  }

  async stats() {
    return this.peer && this.#reader.read(this.peer);
  }

  /** @param {string} [chosen] */
  async renditions(chosen) {
    return this.#client.renditions(chosen);
  }

  async stop() {
    super.stop();
    await this.#client.stop();
  }
}
