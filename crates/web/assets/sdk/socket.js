/**
 * Signalling by the session protocol: JSON messages over one WebSocket for all streams of a session.
 */
import { HeadwaterError } from './errors.js';

const CONNECT_MS = 8000;
const FAREWELL_MS = 1000;
/** What the server says of a stream that is over. @type {Record<string, string>} */
const CODES = {
  'Stream name is already in use': 'name-in-use',
  'Stream not found': 'not-live',
  'Stopped by publisher stop': 'not-live',
  'Publish stream is not ready': 'starting',
  'Failed to add stream to proxy': 'busy',
  'No common codecs': 'codec',
  'Restricted access': 'refused',
  'Failed by ICE timeout': 'blocked',
};

/** Opened when a stream needs it, closed when none does. */
export class Socket {
  #server;
  #token;
  /** @type {WebSocket|null} */
  #socket = null;
  /** @type {Promise<void>|null} */
  #ready = null;
  /** @type {Map<string, SocketSignalling>} */
  streams = new Map();

  /** @param {{url: URL}} server @param {string|undefined} token */
  constructor(server, token) {
    this.#server = server;
    this.#token = token;
  }

  /** Resolves once the server has taken us. */
  open() {
    return (this.#ready ??= this.#connect());
  }

  #connect() {
    const socket = new WebSocket(this.#server.url.href.replace('http', 'ws'));
    this.#socket = socket;
    return new Promise((/** @type {(value: void) => void} */ resolve, reject) => {
      const timer = setTimeout(() => socket.close(), CONNECT_MS);
      let error = new HeadwaterError('network');
      socket.onopen = () => this.send('connection', { authToken: this.#token, mediaProviders: ['WebRTC'] });
      socket.onmessage = ({ data }) => {
        const { message, data: [first, second] } = JSON.parse(data);
        if (message === 'ping') this.send('pong');
        if (message === 'getUserData') resolve(clearTimeout(timer));
        if (message === 'fail') error = new HeadwaterError('refused', first.info);
        const stream = this.streams.get(first?.mediaSessionId ?? first);
        if (message === 'setRemoteSDP') stream?.answered(second);
        if (message === 'notifyStreamStatusEvent') stream?.told(first);
        if (message === 'notifyStreamEvent') stream?.muted(first.type);
        if (message === 'renditions') stream?.questions.shift()?.(first);
      };
      socket.onclose = () => {
        clearTimeout(timer);
        if (socket === this.#socket) this.#socket = this.#ready = null;
        reject(error);
        for (const stream of [...this.streams.values()]) stream.over(error);
      };
    });
  }

  /** @param {string} message @param {object} [data] */
  send(message, data = {}) {
    const open = this.#socket?.readyState === WebSocket.OPEN;
    if (open) this.#socket?.send(JSON.stringify({ message, data: [data] }));
    return open;
  }

  /** @param {string} id */
  leave(id) {
    this.streams.delete(id);
    if (this.streams.size > 0) return;
    this.#socket?.close();
    this.#socket = this.#ready = null;
  }
}

/** One stream on it. */
export class SocketSignalling {
  #socket;
  #stream;
  #closed = false;
  /** @type {{resolve: (answer: string) => void, reject: (error: HeadwaterError) => void}|null} */
  #asked = null;
  /** @type {(() => void)|null} */
  #farewell = null;
  /** @type {((error: HeadwaterError) => void)|null} */
  onend = null;
  /** @type {((kind: 'audio'|'video', muted: boolean) => void)|null} */
  onmute = null;
  /** Take the answers, in their order. @type {((answer: any) => void)[]} */
  questions = [];

  /** @param {Socket} socket @param {{name: string, published: boolean, maxBitrate: number, cvoExtension?: boolean, rendition?: string}} stream in kbit/s */
  constructor(socket, stream) {
    this.#socket = socket;
    const id = crypto.getRandomValues(new Uint32Array(4)).join('-');
    this.#stream = { ...stream, mediaSessionId: id, mediaProvider: 'WebRTC', hasVideo: true, hasAudio: true };
    socket.streams.set(id, this);
  }

  /** @param {string} sdp */
  async offer(sdp) {
    Object.assign(this.#stream, { hasVideo: sdp.includes('m=video'), hasAudio: sdp.includes('m=audio') });
    await this.#socket.open();
    if (this.#closed) throw new HeadwaterError('stopped');
    return new Promise((/** @type {(answer: string) => void} */ resolve, reject) => {
      this.#asked = { resolve, reject };
      this.#socket.send(this.#stream.published ? 'publishStream' : 'playStream', { ...this.#stream, status: 'PENDING', sdp });
    });
  }

  /** @param {string} sdp */
  answered(sdp) {
    this.#asked?.resolve(sdp);
    this.#asked = null;
  }

  /** @param {any} state */
  told({ status, info, reason, audioState, videoState }) {
    if (audioState) this.onmute?.('audio', audioState.muted);
    if (videoState) this.onmute?.('video', videoState.muted);
    if (['FAILED', 'STOPPED', 'UNPUBLISHED'].includes(status)) this.over(new HeadwaterError(CODES[info] ?? 'server', reason || info));
  }

  /** @param {string} type  such as `audioMuted` */
  muted(type) {
    const [, kind, how] = type.match(/^(audio|video)(Muted|Unmuted)$/) ?? [];
    if (kind) this.onmute?.(/** @type {'audio'|'video'} */ (kind), how === 'Muted');
  }

  /** Tells the viewers. @param {'audio'|'video'} kind @param {boolean} muted */
  mute(kind, muted) {
    this.say('sendStreamEvent', { type: `${kind}${muted ? 'Muted' : 'Unmuted'}` });
  }

  /** Speaks of this stream. @param {string} message @param {object} data */
  say(message, data) {
    this.#socket.send(message, { ...data, mediaSessionId: this.#stream.mediaSessionId });
  }

  /** @param {HeadwaterError} error */
  over(error) {
    this.#farewell?.();
    if (this.#closed) return;
    this.forget();
    if (this.#asked) this.#asked.reject(error);
    else this.onend?.(error);
  }

  /** Waits for the server’s word, so that it hears this before the media ends. */
  async close() {
    if (this.#closed) return;
    this.#closed = true;
    const said = this.#socket.send(this.#stream.published ? 'unPublishStream' : 'stopStream', this.#stream);
    if (said) {
      await new Promise((/** @type {(value?: any) => void} */ done) => {
        this.#farewell = done;
        setTimeout(done, FAREWELL_MS);
      });
    }
    this.forget();
  }

  forget() {
    this.#closed = true;
    this.#socket.leave(this.#stream.mediaSessionId);
  }
}
