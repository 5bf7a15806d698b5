/**
 * One WHEP session for the player page, which does its own waiting and reconnecting.
 *
 *     const client = new WhepClient('/demo/whep');
 *     client.addEventListener('lost', () => …);
 *     video.srcObject = await client.start();
 *     …
 *     await client.stop();
 *
 * One client is one session; after `lost` or `stop` make a new one. For a page of your own, `headwater.js` does more.
 *
 * Events: `connected` (media can flow), `lost` (`detail` is a `HeadwaterError`; the session is over).
 */
import { HttpSignalling } from './http.js';
import { Link, askForStereo } from './link.js';

export class WhepClient extends EventTarget {
  #address;
  #options;
  /** @type {Link|null} */
  #link = null;
  /** @type {HttpSignalling|null} */
  #signalling = null;
  /** What plays; filled when `start` resolves. */
  stream = new MediaStream();

  /**
   * @param {string|URL} address  of the WHEP endpoint; relative to the page
   * @param {{token?: string, authorization?: string, iceServers?: RTCIceServer[]}} [options]  `authorization` is the whole field, where it is no token
   */
  constructor(address, options = {}) {
    super();
    this.#address = address;
    this.#options = options;
  }

  /** The connection, for statistics; null before `start` and after the end. */
  get peer() {
    return this.#link?.peer ?? null;
  }

  /** Which of `video`, `audio` the server will send. */
  get kinds() {
    return this.stream.getTracks().map((track) => track.kind);
  }

  /**
   * Begins the session: resolves with the media as soon as the server accepted, before media flows.
   * @returns {Promise<MediaStream>}
   */
  async start() {
    const { token, authorization, iceServers } = this.#options;
    this.#signalling = new HttpSignalling(this.#address, { token, authorization });
    const link = new Link(this.#signalling, { iceServers, shape: askForStereo });
    this.#link = link;
    link.peer.addTransceiver('video', { direction: 'recvonly' });
    link.peer.addTransceiver('audio', { direction: 'recvonly' });
    link.peer.addEventListener('track', ({ track }) => this.stream.addTrack(track));
    link.addEventListener('connected', () => this.dispatchEvent(new Event('connected')));
    link.addEventListener('ended', (event) => {
      this.#link = null;
      this.dispatchEvent(new CustomEvent('lost', { detail: /** @type {CustomEvent} */ (event).detail }));
    });
    await link.open();
    return this.stream;
  }

  /**
   * Lists the sizes that the stream comes in, after choosing one, or `auto`, if it is named.
   * @param {string} [chosen]
   */
  async renditions(chosen) {
    return (await this.#signalling?.renditions(chosen)) ?? [];
  }

  /** Ends the session and tells the server, even while the page is going away. */
  async stop() {
    const link = this.#link;
    this.#link = null;
    await link?.close();
  }
}
