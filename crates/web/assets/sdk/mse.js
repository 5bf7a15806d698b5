/**
 * Plays fragmented MP4 that comes over a WebSocket, in a video element, by Media Source Extensions.
 *
 *     const player = new MsePlayer({ base: 'https://media.example.org/', name: 'demo', video });
 *     player.addEventListener('lost', ({ detail }) => …);
 *     await player.start();                                  // resolves when something is seen or heard
 *
 * The element is kept close to the live edge: a little faster or slower where that is enough, by a jump where it is not.
 * How close is found out: each time that the element runs dry, it is given more.
 *
 * Events: `lost` (`detail` is a `HeadwaterError`; it is over), `blocked` (the browser gives no sound before a tap),
 * `resize`, `tracks`. One object is one session.
 */
import { HeadwaterError } from './errors.js';
import { LiveEdge } from './mse-edge.js';
import { Feeder } from './mse-feeder.js';

/** What is asked of the browser for each codec of the server. @type {Record<string, string>} */
const CODECS = {
  h264: 'video/mp4; codecs="avc1.42E01F"',
  h265: 'video/mp4; codecs="hvc1.1.6.L93.B0"',
  av1: 'video/mp4; codecs="av01.0.08M.08"',
  vp9: 'video/mp4; codecs="vp09.00.31.08"',
  aac: 'audio/mp4; codecs="mp4a.40.2"',
  opus: 'audio/mp4; codecs="opus"',
};
const VIDEO = ['h264', 'h265', 'av1', 'vp9'];
const AUDIO = ['aac', 'opus'];
/** Troubles of the browser with what it is fed that are mended by beginning anew, in so many ms. */
const MENDED_MAX = 3;
const MENDED_MS = 30_000;

/** The browser's own; Safari on phones has only the managed one. @returns {typeof MediaSource|undefined} */
const kindOfSource = () => globalThis.MediaSource ?? /** @type {any} */ (globalThis).ManagedMediaSource;

export class MsePlayer extends EventTarget {
  #options;
  #video;
  /** @type {WebSocket|null} */
  #socket = null;
  /** @type {Feeder|null} */
  #feeder = null;
  /** @type {LiveEdge|null} */
  #edge = null;
  /** What the next binary message is, if it is an init segment. @type {any} */
  #init = null;
  /** The init segment in force. @type {{mime: string, segment: ArrayBuffer}|null} */
  #current = null;
  /** @type {{resolve: (value?: unknown) => void, reject: (error: HeadwaterError) => void}|null} */
  #waiting = null;
  /** When it was begun anew. @type {number[]} */
  #mended = [];
  #received = { bytes: 0, fragments: 0, skipped: 0 };
  #before = { at: 0, bytes: 0, frames: 0 };
  #leave = new AbortController();
  /** What is played: `kind`, `format`, `codec`, `width`, … of each track. @type {any[]} */
  tracks = [];
  /** Tracks of the stream that do not come, each with `kind` and `reason`. @type {any[]} */
  missing = [];

  /** @param {{base: string|URL, name: string, video: HTMLVideoElement, token?: string, volume?: number, muted?: boolean}} options */
  constructor(options) {
    super();
    this.#options = options;
    this.#video = options.video;
    if (options.volume !== undefined) this.#video.volume = options.volume;
    if (options.muted !== undefined) this.#video.muted = options.muted;
  }

  /** Why this browser cannot play so; empty if it can. */
  static get obstacle() {
    return kindOfSource() ? '' : 'This browser has no Media Source Extensions';
  }

  /** The codecs of the server that this browser plays, by their names in the address. */
  static codecs() {
    const source = kindOfSource();
    return Object.keys(CODECS).filter((name) => source?.isTypeSupported(CODECS[name]));
  }

  /** Which of `video`, `audio` come. */
  get kinds() {
    return this.tracks.map(({ kind }) => kind);
  }

  get width() {
    return this.#video.videoWidth;
  }

  get height() {
    return this.#video.videoHeight;
  }

  /** Begins the session; resolves when something is seen or heard. */
  async start() {
    const { obstacle } = MsePlayer;
    if (obstacle) throw new HeadwaterError('unsupported', obstacle);
    const codecs = MsePlayer.codecs();
    if (![...VIDEO, ...AUDIO].some((name) => codecs.includes(name))) throw new HeadwaterError('unsupported', 'this browser plays no MP4 that comes bit by bit');
    const { signal } = this.#leave;
    const video = this.#video;
    video.addEventListener('playing', () => this.#begun(), { signal });
    video.addEventListener('resize', () => this.dispatchEvent(new Event('resize')), { signal });
    video.addEventListener('error', () => this.#mend(video.error?.message ?? ''), { signal });
    globalThis.addEventListener('pagehide', () => this.stop(), { signal });
    const begun = new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
    const socket = (this.#socket = new WebSocket(this.#address(codecs)));
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => (typeof data === 'string' ? this.#hear(JSON.parse(data)) : this.#take(data));
    socket.onclose = ({ reason }) => this.#lost(new HeadwaterError('network', reason || undefined));
    return begun;
  }

  /** @param {string[]} codecs */
  #address(codecs) {
    const { base, name, token } = this.#options;
    const path = name.split('/').map(encodeURIComponent).join('/');
    const url = new URL(`mse/${path}`, new URL(base, document.baseURI));
    url.protocol = url.protocol.replace('http', 'ws');
    url.searchParams.set('codecs', codecs.join(','));
    if (token) url.searchParams.set('token', token);
    return url.href;
  }

  /** @param {any} word */
  #hear(word) {
    if (word.type === 'init') this.#init = word;
    if (word.type === 'skipped') this.#received.skipped += word.fragments;
    if (word.type === 'break') this.#restart();
    if (word.type === 'end') this.#lost(new HeadwaterError('not-live', word.reason));
    if (word.type === 'error') this.#lost(new HeadwaterError(word.code, word.message));
  }

  /** @param {ArrayBuffer} data */
  #take(data) {
    this.#received.bytes += data.byteLength;
    const init = this.#init;
    this.#init = null;
    if (!init) {
      this.#received.fragments += 1;
      this.#feeder?.push(data);
      return;
    }
    if (!kindOfSource()?.isTypeSupported(init.mime)) return this.#lost(new HeadwaterError('codec', `this browser does not play ${init.mime}`));
    const kinds = this.kinds.join();
    Object.assign(this, { tracks: init.tracks, missing: init.missing });
    this.#current = { mime: init.mime, segment: data };
    // A browser cannot be given other tracks than it began with.
    if (this.#feeder && this.kinds.join() === kinds) this.#feeder.change(this.#current);
    else this.#restart();
    this.dispatchEvent(new Event('tracks'));
  }

  /** Begins anew with the init segment in force. */
  #restart() {
    this.#edge?.stop();
    this.#feeder?.stop();
    const Source = kindOfSource();
    if (!this.#current || !Source) return;
    const video = this.#video;
    const feeder = (this.#feeder = new Feeder(new Source(), video, this.#current));
    feeder.onproblem = (problem) => feeder === this.#feeder && this.#mend(problem);
    this.#edge = new LiveEdge(video, feeder);
    this.#show();
  }

  /** Plays with sound if the browser lets us, else without, until the viewer taps. */
  async #show() {
    const video = this.#video;
    try {
      await video.play();
    } catch (error) {
      if (/** @type {Error} */ (error).name !== 'NotAllowedError' || video.muted) return;
      video.muted = true;
      this.dispatchEvent(new Event('blocked'));
      await video.play().catch(() => {});
    }
  }

  /** @param {string} problem */
  #mend(problem) {
    if (this.#leave.signal.aborted) return;
    const now = performance.now();
    this.#mended = [...this.#mended.filter((at) => now - at < MENDED_MS), now];
    if (this.#mended.length > MENDED_MAX) this.#lost(new HeadwaterError('codec', problem || 'the browser cannot play it'));
    else this.#restart();
  }

  #begun() {
    this.#waiting?.resolve();
    this.#waiting = null;
  }

  get volume() {
    return this.#video.volume;
  }
  set volume(volume) {
    this.#video.volume = volume;
  }

  get muted() {
    return this.#video.muted;
  }
  set muted(muted) {
    this.#video.muted = muted;
    if (!muted) this.#video.play().catch(() => {});
  }

  /**
   * What is measured, in the shape of the statistics of a WebRTC session; rates since the last time it was asked.
   * @returns {Promise<import('./stats.js').SessionStats & {edge: any}|null>}
   */
  async stats() {
    if (!this.#socket) return null;
    const { totalVideoFrames = 0, droppedVideoFrames = 0 } = this.#video.getVideoPlaybackQuality?.() ?? {};
    const at = performance.now();
    const seconds = (at - this.#before.at) / 1000;
    const rate = (/** @type {number} */ more) => (this.#before.at && seconds > 0 ? more / seconds : null);
    const { bytes, fragments, skipped } = this.#received;
    const [picture, sound] = ['video', 'audio'].map((kind) => this.tracks.find((track) => track.kind === kind));
    const aheadMs = this.#edge?.aheadMs ?? null;
    const none = { packetsLost: 0, lossPercent: null, jitterMs: null };
    const bitrate = rate((bytes - this.#before.bytes) * 8);
    const stats = {
      at: Date.now(),
      video: picture ? {
        ...none, codec: picture.format, decoder: 'MSE', width: this.width, height: this.height, fps: rate(totalVideoFrames - this.#before.frames), bitrate,
        packetsReceived: fragments, nacks: 0, plis: 0, jitterBufferMs: aheadMs, decodeMs: null, processingMs: null, framesReceived: totalVideoFrames,
        framesDecoded: totalVideoFrames, keyFramesDecoded: 0, framesDropped: droppedVideoFrames + skipped, freezes: this.#edge?.dry ?? 0, frozenMs: 0,
      } : null,
      audio: sound ? {
        ...none, codec: `${sound.format}/${sound.sampleRate}/${sound.channels}`, bitrate: picture ? null : bitrate, packetsReceived: fragments,
        jitterBufferMs: aheadMs, concealedPercent: null, level: null,
      } : null,
      connection: { transport: 'WebSocket', remote: new URL(this.#options.base, document.baseURI).host, rttMs: null, security: '' },
      estimatedLatencyMs: aheadMs,
      edge: this.#edge?.figures ?? null,
    };
    this.#before = { at, bytes, frames: totalVideoFrames };
    return stats;
  }

  /** @param {HeadwaterError} error */
  #lost(error) {
    if (this.#leave.signal.aborted) return;
    const waiting = this.#waiting;
    this.#waiting = null;
    this.stop();
    if (waiting) waiting.reject(error);
    else this.dispatchEvent(new CustomEvent('lost', { detail: error }));
  }

  /** Ends the session. */
  async stop() {
    if (this.#leave.signal.aborted) return;
    this.#leave.abort();
    this.#waiting?.reject(new HeadwaterError('stopped'));
    this.#waiting = null;
    if (this.#socket) this.#socket.onclose = null;
    this.#socket?.close();
    this.#socket = null;
    this.#edge?.stop();
    this.#feeder?.stop();
    this.#edge = this.#feeder = null;
    const video = this.#video;
    video.playbackRate = 1;
    video.removeAttribute('src');
    video.load();
  }
}

/**
 * The same in one call: plays until it is stopped, or `signal` says so.
 * @param {{url?: string|URL, stream: string, element: HTMLVideoElement, token?: string, signal?: AbortSignal}} options
 */
export async function play({ url = '/', stream, element, token, signal }) {
  const player = new MsePlayer({ base: url, name: stream, video: element, token });
  signal?.addEventListener('abort', () => player.stop());
  if (signal?.aborted) throw new HeadwaterError('stopped');
  await player.start();
  return player;
}
