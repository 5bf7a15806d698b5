/**
 * The server that a page talks to, and the streams it has there.
 *
 * @import { SessionOptions, Signalling, StreamOptions } from './headwater.d.ts'
 */
import { HeadwaterError, loaded } from './errors.js';
import { Socket, SocketSignalling } from './socket.js';
import { Stream } from './stream.js';

export class Session {
  #token;
  #socket;
  /** @type {Set<Stream>} */
  #streams = new Set();

  /** @param {SessionOptions} [options] */
  constructor({ url, lbUrl, token, transport = 'session', iceServers = [] } = {}) {
    this.url = new URL((url ?? '/').replace(/^ws/, 'http'), document.baseURI);
    if (!this.url.pathname.endsWith('/')) this.url.pathname += '/';
    this.lbUrl = lbUrl;
    this.#token = token;
    this.#socket = transport === 'whip' ? null : new Socket(this, token);
    this.iceServers = iceServers;
  }

  get streams() {
    return [...this.#streams].filter(({ running }) => running);
  }

  /** @param {StreamOptions} options */
  createStream(options) {
    if (!options?.name) throw new HeadwaterError('invalid', 'a stream needs a name');
    const stream = new Stream(this, options);
    this.#streams.add(stream);
    return stream;
  }

  async close() {
    await Promise.all(this.streams.map((stream) => stream.stop()));
    this.#streams.clear();
  }

  /**
   * How a stream speaks to the server.
   * @param {StreamOptions} options
   * @param {boolean} published
   * @param {string} [rendition]
   * @returns {Promise<Signalling>}
   */
  async signalling({ name, maxBitrate = 0, cvoExtension }, published, rendition) {
    if (this.lbUrl && !this.#socket?.streams.size) await (await loaded(import('./balance.js'))).ask(this);
    if (this.#socket) return new SocketSignalling(this.#socket, { name, published, rendition, cvoExtension, maxBitrate: Math.round(maxBitrate / 1000) });
    const { HttpSignalling } = await loaded(import('./http.js'));
    const path = name.split('/').map(encodeURIComponent).join('/');
    const address = new URL(`${path}/${published ? 'whip' : 'whep'}`, this.url);
    if (rendition) address.searchParams.set('rendition', rendition);
    return new HttpSignalling(address, { publishes: published, token: this.#token });
  }
}
