/**
 * A player that finds a way: plays one stream by WebRTC, MSE, WSPlayer or HLS, whichever can first, and keeps it
 * playing. What is public is told in player.d.ts.
 *
 *     idle ─ start ─> connecting ─> playing <─> stalled        stalled: connected, but nothing arrives
 *                       │  ^          │
 *      not live ────────┤  └──────────┴─ lost ─> reconnecting  tries again, later and later
 *      waiting <────────┤                          waiting: asks now and then whether it is live
 *      error   <────────┘                          error: trying again by itself would not help
 *     stopped                                      by the viewer
 *
 * @import { PlayerOptions, PlayerState } from './player.d.ts'
 */
import { HeadwaterError } from './errors.js';
import { DEADLINE_MS, NAMES, Rounds, WAYS, load } from './ways.js';

export { HeadwaterError } from './errors.js';
export { NAMES, WAYS } from './ways.js';

const STATS_MS = 1000;
const RETRY_MS = [300, 1000, 2000, 4000, 8000];
const WAITING_MS = [1000, 1500, 2000, 3000];
const WAITING_HIDDEN_MS = 20_000;
/** The server says whether it plays within this, in ms: it waits itself for a stream that is about to begin. */
const ANSWER_MS = 12_000;
/** Without a packet for this long, the stream has stalled. */
const STALLED_MS = 2500;
/** How often a stalled player asks whether the stream is still there, and when it makes a new session. */
const STALLED_ASK_MS = 4000;
const STALLED_MAX_MS = 24_000;
/** Playing this long, a session counts as good: the next loss is retried at once. */
const GOOD_MS = 10_000;
/** Frames that arrived whole without one decoded, after which the codec is to blame. */
const UNDECODED_MAX = 90;

export class Player extends EventTarget {
  #options;
  #rounds;
  /** @type {any} */
  #client = null;
  /** @type {any} */
  #retryTimer;
  /** @type {any} */
  #statsTimer;
  /** @type {any} */
  #deadline;
  #moved = { packets: 0, at: 0, asked: 0 };
  #playingSince = 0;
  #volume;
  #muted;
  #base;
  #video;
  /** Removed again when it is destroyed. @type {HTMLVideoElement|null} */
  #own = null;
  #leave = new AbortController();

  /** @type {PlayerState} */
  state = 'idle';
  /** @type {HeadwaterError|null} */
  error = null;
  /** @type {import('./stats.js').SessionStats|null} */
  stats = null;
  /** Something that is missing though it plays, in words. */
  warning = '';
  /** Failed tries since it last played. */
  attempts = 0;
  /** Sessions begun. */
  sessions = 0;
  /** The size that the viewer chose, by its label, or `auto`. */
  chosen = 'auto';
  /** When the next try is due, in ms since 1970; 0 if none is. */
  nextTryAt = 0;

  /** @param {PlayerOptions} options */
  constructor(options) {
    super();
    if (!options?.name) throw new HeadwaterError('invalid', 'a stream needs a name');
    this.#options = options;
    this.name = options.name;
    this.#rounds = new Rounds(options.ways ?? WAYS);
    this.#volume = options.volume ?? 1;
    this.#muted = options.muted ?? false;
    this.#base = new URL(options.url ?? '/', document.baseURI);
    if (!this.#base.pathname.endsWith('/')) this.#base.pathname += '/';
    this.#video = this.#place();
    const { signal } = this.#leave;
    addEventListener('pagehide', () => this.#drop(), { signal });
    addEventListener('pageshow', ({ persisted }) => persisted && this.running && this.#connect(), { signal });
    addEventListener('online', () => this.#hurry(), { signal });
    document.addEventListener('visibilitychange', () => !document.hidden && this.#hurry(), { signal });
  }

  /** The video element that is given, or a new one in the element that is. */
  #place() {
    const { display } = this.#options;
    const found = typeof display === 'string' ? document.querySelector(display) : display;
    if (!found) throw new HeadwaterError('invalid', 'the player needs an element of the page to show in');
    if (found instanceof HTMLVideoElement) return found;
    const video = (this.#own = document.createElement('video'));
    video.playsInline = true;
    Object.assign(video.style, { width: '100%', height: '100%', objectFit: 'contain' });
    found.append(video);
    return video;
  }

  /** A canvas in the place of the video element, which stays out of sight as long as that is there. */
  #makeCanvas = () => {
    const canvas = document.createElement('canvas');
    canvas.className = this.#video.className;
    canvas.style.cssText = this.#video.style.cssText;
    this.#video.after(canvas);
    return canvas;
  };

  get running() {
    return this.state !== 'stopped' && this.state !== 'idle' && this.state !== 'error';
  }

  /** The ways to play, the one that is liked best first. What plays goes on by the new order. @param {import('./player.d.ts').Way[]} order */
  set ways(order) {
    this.#rounds = new Rounds(order);
    if (this.running) this.start();
  }
  get ways() {
    return this.#rounds.order;
  }

  /** The way that is tried or plays. */
  get way() {
    return this.#rounds.way;
  }
  get wayName() {
    return NAMES[this.way];
  }
  get why() {
    return this.#rounds.why;
  }
  get tried() {
    return this.#rounds.tried.map(({ way, error }) => ({ way, code: error.code, message: error.message }));
  }

  get element() {
    return this.#client?.element ?? this.#video;
  }
  get kinds() {
    return this.#client?.kinds ?? [];
  }
  get width() {
    return this.#client?.width ?? 0;
  }
  get height() {
    return this.#client?.height ?? 0;
  }
  /** For meters and recorders: the audio node of WSPlayer. */
  get output() {
    return this.#client?.output ?? null;
  }

  get volume() {
    return this.#client?.volume ?? this.#volume;
  }
  set volume(volume) {
    this.#volume = Math.min(1, Math.max(0, volume));
    if (this.#client) this.#client.volume = this.#volume;
    this.dispatchEvent(new Event('volumechange'));
  }
  get muted() {
    return this.#client?.muted ?? this.#muted;
  }
  set muted(muted) {
    this.#muted = muted;
    if (this.#client) this.#client.muted = muted;
    this.dispatchEvent(new Event('volumechange'));
  }

  /** What can be seen again, and where in it we are, in seconds behind the live edge; null where there is only the present. */
  get window() {
    const range = this.#client?.seekable;
    return range ? { length: range.end - range.start, behind: Math.max(0, range.end - this.#video.currentTime) } : null;
  }

  /** Shows what was so many seconds before the live edge. @param {number} behind */
  seek(behind) {
    const range = this.#client?.seekable;
    if (range) this.#client.seek(Math.min(range.end, Math.max(range.start, range.end - behind)));
  }

  toLive() {
    this.#client?.toLive?.();
  }

  /** Plays, from any state. */
  start() {
    this.attempts = 0;
    this.#rounds.begin();
    this.#connect();
  }

  /** Ends the session at the viewer's wish. */
  stop() {
    this.#drop();
    this.error = null;
    this.#setState('stopped');
  }

  /** Ends it for good and takes out of the page what it put there. */
  destroy() {
    this.stop();
    this.#leave.abort();
    this.#own?.remove();
  }

  /** @param {string} [chosen] */
  async renditions(chosen) {
    const list = (await this.#client?.renditions(chosen)) ?? [];
    this.chosen = chosen ?? this.chosen;
    return list;
  }

  #drop() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#deadline);
    clearInterval(this.#statsTimer);
    this.nextTryAt = 0;
    const client = this.#client;
    this.#client = null;
    this.#video.hidden = false;
    client?.stop();
    this.dropped();
  }

  /** A session is over; for those who build on this. */
  dropped() {}
  /** A session has begun; for those who build on this. */
  attached() {}
  /** Whether it is known that the stream is not live; for those who build on this. @returns {Promise<boolean>} */
  async hasEnded() {
    return false;
  }

  async #connect() {
    this.#drop();
    if (this.state !== 'waiting') this.#setState(this.attempts ? 'reconnecting' : 'connecting');
    const mark = (this.#client = /** @type {any} */ ({ stop() {} }));
    const { way } = this;
    const { token, iceServers, deadlinesMs } = this.#options;
    let client = mark;
    try {
      const Client = await load(way);
      if (mark !== this.#client) return;
      client = this.#client = /** @type {any} */ (new Client({
        base: this.#base, name: this.name, token, iceServers, video: this.#video, makeCanvas: this.#makeCanvas, volume: this.#volume, muted: this.#muted,
      }));
      const of = (/** @type {string} */ type, /** @type {(event: any) => void} */ then) => client.addEventListener(type, (/** @type {any} */ event) => client === this.#client && then(event));
      of('lost', ({ detail }) => this.#failed(detail));
      of('playing', () => this.#nowPlaying());
      of('resize', () => this.dispatchEvent(new Event('resize')));
      of('blocked', () => this.dispatchEvent(new Event('blocked')));
      this.#expect(ANSWER_MS);
      await client.start();
      if (client !== this.#client) return;
      if (this.state !== 'playing') this.#expect(deadlinesMs?.[way] ?? DEADLINE_MS[way]);
      this.sessions += 1;
      this.#attach();
    } catch (error) {
      if (client !== this.#client) return;
      this.#failed(error instanceof HeadwaterError ? error : new HeadwaterError('server', String(error), { cause: error }));
    }
  }

  /** @param {number} ms */
  #expect(ms) {
    clearTimeout(this.#deadline);
    const error = () => new HeadwaterError('blocked', `nothing was seen of it within ${Math.round(ms / 1000)} s`);
    this.#deadline = setTimeout(() => this.#failed(error()), ms);
  }

  #attach() {
    if (this.state === 'waiting') this.#setState('connecting');
    this.stats = null;
    this.warning = '';
    this.#video.hidden = this.element !== this.#video;
    this.#moved = { packets: 0, at: Date.now(), asked: Date.now() };
    this.#statsTimer = setInterval(() => this.#measure(), STATS_MS);
    this.attached();
    // What was chosen before a reconnection; a publisher that is back may not send that size yet.
    if (this.chosen !== 'auto') this.renditions(this.chosen).catch(() => {});
  }

  #nowPlaying() {
    if (this.state === 'playing') return;
    clearTimeout(this.#deadline);
    this.#playingSince = Date.now();
    this.#rounds.settle();
    this.error = null;
    this.#video.hidden = this.element !== this.#video;
    this.#setState('playing');
  }

  /** @param {HeadwaterError} error */
  #failed(error) {
    const hadPlayed = this.#playingSince > 0;
    if (hadPlayed && Date.now() - this.#playingSince > GOOD_MS) this.attempts = 0;
    this.#playingSince = 0;
    this.#drop();
    this.error = error;
    const what = this.#rounds.fail(error, hadPlayed);
    if (what === 'next') return this.#connect();
    if (this.tried.length > 0 && !this.#rounds.hasNext && !hadPlayed) this.error = error = this.#rounds.verdict ?? error;
    if (what === 'up') return this.#setState('error');
    if (error.code === 'not-live' || error.code === 'starting') return this.#retry('waiting', document.hidden ? WAITING_HIDDEN_MS : later(WAITING_MS, this.attempts));
    if (!hadPlayed && error.code !== 'busy') this.#rounds.begin();
    this.#retry('reconnecting', Math.max(error.retryAfter * 1000, later(RETRY_MS, this.attempts)));
  }

  /**
   * @param {PlayerState} state
   * @param {number} delay
   */
  #retry(state, delay) {
    if (state !== this.state && state === 'waiting') this.attempts = 0;
    this.attempts += 1;
    this.nextTryAt = Date.now() + delay;
    this.#retryTimer = setTimeout(() => this.#connect(), delay);
    this.#setState(state);
  }

  /** Tries at once what was planned for later: the network is back, or someone looks. */
  #hurry() {
    if (this.nextTryAt && !this.#client) this.#connect();
  }

  async #measure() {
    const client = this.#client;
    const stats = await client?.stats().catch(() => null);
    if (!stats || client !== this.#client) return;
    this.stats = stats;
    for (const { kind, reason } of client.missing ?? []) this.warn(`There is no ${kind === 'video' ? 'picture' : 'sound'}: ${reason}.`);
    this.#watchFlow(stats);
    this.#watchDecoder(stats);
    this.dispatchEvent(new Event('stats'));
  }

  /** @param {import('./stats.js').SessionStats} stats */
  #watchFlow(stats) {
    const now = Date.now();
    const packets = (stats.video?.packetsReceived ?? 0) + (stats.audio?.packetsReceived ?? 0);
    if (packets !== this.#moved.packets) {
      this.#moved = { packets, at: now, asked: now };
      if (this.state === 'stalled') this.#setState('playing');
      return;
    }
    const still = now - this.#moved.at;
    if (this.state === 'playing' && still > STALLED_MS) this.#setState('stalled');
    if (still > STALLED_MAX_MS) {
      this.#failed(new HeadwaterError('network', 'nothing has arrived for a while'));
    } else if (still > STALLED_MS && now - this.#moved.asked > STALLED_ASK_MS) {
      this.#moved.asked = now;
      this.#askWhetherLive();
    }
  }

  /** A publisher that paused may come back to the same session; one that ended will not. */
  async #askWhetherLive() {
    const client = this.#client;
    if ((await this.hasEnded()) && client === this.#client) this.#failed(new HeadwaterError('not-live', 'the stream has ended', { status: 404 }));
  }

  /** @param {import('./stats.js').SessionStats} stats */
  #watchDecoder({ video }) {
    if (!video || video.framesDecoded > 0 || video.framesReceived < UNDECODED_MAX) return;
    const words = `The picture arrives, but this browser cannot decode it (${video.codec.split('/')[0] || 'unknown codec'}).`;
    if (this.#rounds.hasNext) this.#failed(new HeadwaterError('codec', words));
    else this.warn(words);
  }

  /** @param {string} warning */
  warn(warning) {
    if (this.warning === warning) return;
    this.warning = warning;
    this.dispatchEvent(new Event('state'));
  }

  /** @param {PlayerState} state */
  #setState(state) {
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }
}

/** @param {PlayerOptions} options */
export const createPlayer = (options) => new Player(options);

/**
 * The delay of that try, spread a little so that many viewers do not come back in the same instant.
 * @param {number[]} delays
 * @param {number} attempt
 */
function later(delays, attempt) {
  const delay = delays[Math.min(attempt, delays.length - 1)];
  return delay * (0.8 + Math.random() * 0.4);
}
