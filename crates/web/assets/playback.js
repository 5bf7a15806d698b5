/**
 * Keeps one stream playing in a video element: connects, watches, reconnects, waits. Knows no page.
 *
 *     idle ─ start ─> connecting ─> playing <─> stalled        stalled: connected, but nothing arrives
 *                       │  ^          │
 *      not live ────────┤  └──────────┴─ lost ─> reconnecting  tries again, later and later
 *      waiting <────────┤                          waiting: asks now and then whether it is live
 *      error   <────────┘                          error: trying again by itself would not help
 *     stopped                                      by the viewer
 *
 * Events: `state`, `stats` (once a second), `blocked` (sound needs the viewer's tap).
 *
 * @typedef {'idle'|'connecting'|'playing'|'stalled'|'reconnecting'|'waiting'|'error'|'stopped'} PlaybackState
 */
import { liveStream, whepAddress } from './api.js';
import { ClockReader } from './clock.js';
import { StatsReader } from './stats.js';
import { HeadwaterError } from './sdk/errors.js';
import { WhepClient } from './whep.js';

const STATS_MS = 1000;
const RETRY_MS = [300, 1000, 2000, 4000, 8000];
const WAITING_MS = [1000, 1500, 2000, 3000];
const WAITING_HIDDEN_MS = 20_000;
/** Without a packet for this long, the stream has stalled. */
const STALLED_MS = 2500;
/** How often a stalled player asks whether the stream is still there, and when it makes a new session. */
const STALLED_ASK_MS = 4000;
const STALLED_MAX_MS = 24_000;
/** Playing this long, a session counts as good: the next loss is retried at once. */
const GOOD_MS = 10_000;
/** Frames that arrived whole without one decoded, after which the codec is to blame. */
const UNDECODED_MAX = 90;

export class Playback extends EventTarget {
  #video;
  #clock;
  /** @type {WhepClient|null} */
  #client = null;
  #reader = new StatsReader();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #retryTimer;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #statsTimer;
  #moved = { packets: 0, at: 0, asked: 0 };
  #playingSince = 0;

  /** @type {PlaybackState} */
  state = 'idle';
  /** The last thing that went wrong, while it matters. @type {HeadwaterError|null} */
  error = null;
  /** @type {import('./stats.js').SessionStats|null} */
  stats = null;
  /** What the API says of the stream. @type {import('./api.js').LiveStream|null} */
  stream = null;
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

  /**
   * @param {HTMLVideoElement} video
   * @param {string} name
   */
  constructor(video, name) {
    super();
    this.#video = video;
    this.#clock = new ClockReader(video);
    this.name = name;
    video.addEventListener('playing', () => this.#nowPlaying());
    addEventListener('pagehide', () => this.#drop());
    addEventListener('pageshow', ({ persisted }) => persisted && this.#wanted && this.#connect());
    addEventListener('online', () => this.#hurry());
    document.addEventListener('visibilitychange', () => !document.hidden && this.#hurry());
  }

  /** Whether the session has sound, picture or both. */
  get kinds() {
    return this.#client?.kinds ?? [];
  }

  /**
   * The best that is known of the delay: read from the picture, else estimated from the buffers.
   * @returns {{ms: number, measured: boolean, p50?: number, p95?: number, samples?: number, good?: number, bad?: number}|null}
   */
  get latency() {
    if (this.state !== 'playing' && this.state !== 'stalled') return null;
    const read = this.#clock.latency;
    if (read) return { measured: true, ...read };
    const guess = this.stats?.estimatedLatencyMs ?? null;
    return guess === null ? null : { measured: false, ms: guess };
  }

  /** Plays, from any state. */
  start() {
    this.attempts = 0;
    this.#connect();
  }

  /** Ends the session at the viewer's wish. */
  stop() {
    this.#drop();
    this.error = null;
    this.#setState('stopped');
  }

  get #wanted() {
    return this.state !== 'stopped' && this.state !== 'idle';
  }

  /**
   * Lists the sizes that the stream comes in, after choosing one, or `auto`, if it is named.
   * @param {string} [chosen]
   */
  async renditions(chosen) {
    const list = (await this.#client?.renditions(chosen)) ?? [];
    this.chosen = chosen ?? this.chosen;
    return list;
  }

  #drop() {
    clearTimeout(this.#retryTimer);
    clearInterval(this.#statsTimer);
    this.nextTryAt = 0;
    this.#clock.stop();
    this.#client?.stop();
    this.#client = null;
  }

  async #connect() {
    this.#drop();
    if (this.state !== 'waiting') this.#setState(this.attempts ? 'reconnecting' : 'connecting');
    const client = new WhepClient(whepAddress(this.name));
    this.#client = client;
    client.addEventListener('lost', (event) => {
      if (client === this.#client) this.#failed(/** @type {CustomEvent} */ (event).detail);
    });
    try {
      const media = await client.start();
      if (client !== this.#client) return;
      if (media.getTracks().length === 0) throw new HeadwaterError('codec', 'neither its picture nor its sound can be sent to this browser');
      this.sessions += 1;
      this.#attach(media);
    } catch (error) {
      if (client !== this.#client) return;
      this.#failed(error instanceof HeadwaterError ? error : new HeadwaterError('server', String(error), { cause: error }));
    }
  }

  /** @param {MediaStream} media */
  #attach(media) {
    if (this.state === 'waiting') this.#setState('connecting');
    this.stats = null;
    this.warning = '';
    this.#reader = new StatsReader();
    this.#moved = { packets: 0, at: Date.now(), asked: Date.now() };
    this.#video.srcObject = media;
    this.#clock.start();
    this.#statsTimer = setInterval(() => this.#measure(), STATS_MS);
    this.#play();
    // What was chosen before a reconnection; a publisher that is back may not send that size yet.
    if (this.chosen !== 'auto') this.renditions(this.chosen).catch(() => {});
    if (media.getTracks().length < 2) this.askWhatItIs();
  }

  /** With sound if the browser lets us, else without, until the viewer taps. */
  async #play() {
    try {
      await this.#video.play();
    } catch (error) {
      if (/** @type {Error} */ (error).name !== 'NotAllowedError' || this.#video.muted) return;
      this.#video.muted = true;
      this.dispatchEvent(new Event('blocked'));
      await this.#video.play().catch(() => {});
    }
  }

  #nowPlaying() {
    if (!this.#client || this.state === 'playing') return;
    this.#playingSince = Date.now();
    this.error = null;
    this.#setState('playing');
  }

  /** @param {HeadwaterError} error */
  #failed(error) {
    if (this.#playingSince && Date.now() - this.#playingSince > GOOD_MS) this.attempts = 0;
    this.#playingSince = 0;
    this.#drop();
    this.error = error;
    const hopeless = error.code === 'refused' || error.code === 'codec' || error.code === 'unsupported';
    if (hopeless) {
      this.#explainCodec(error);
      this.#setState('error');
    } else if (error.code === 'not-live' || error.code === 'starting') {
      this.#retry('waiting', document.hidden ? WAITING_HIDDEN_MS : later(WAITING_MS, this.attempts));
    } else {
      this.#retry('reconnecting', Math.max(error.retryAfter * 1000, later(RETRY_MS, this.attempts)));
    }
  }

  /**
   * @param {PlaybackState} state
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
    if (!client?.peer) return;
    const stats = await this.#reader.read(client.peer).catch(() => null);
    if (!stats || client !== this.#client) return;
    this.stats = stats;
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
    const found = await liveStream(this.name);
    if (found === null && client === this.#client) this.#failed(new HeadwaterError('not-live', 'the stream has ended', { status: 404 }));
  }

  /** @param {import('./stats.js').SessionStats} stats */
  #watchDecoder(stats) {
    const { video } = stats;
    if (!video || video.framesDecoded > 0 || video.framesReceived < UNDECODED_MAX) return;
    this.#warn(`The picture arrives, but this browser cannot decode it (${video.codec.split('/')[0] || 'unknown codec'}).`);
  }

  /** Asks the API what is published, to show it and to say what of it does not come. */
  async askWhatItIs() {
    const client = this.#client;
    const found = await liveStream(this.name);
    if (!client || client !== this.#client) return;
    this.stream = found ?? null;
    if (found?.hasVideo && !client.kinds.includes('video')) {
      this.#warn(`There is sound only: this browser does not take the picture (${found.videoCodec || 'unknown codec'}) by WebRTC.`);
    } else if (found?.hasAudio && !client.kinds.includes('audio')) {
      this.#warn(`There is no sound: this browser does not take it (${found.audioCodec || 'unknown codec'}) by WebRTC.`);
    }
    this.dispatchEvent(new Event('stats'));
  }

  /** @param {HeadwaterError} error */
  async #explainCodec(error) {
    if (error.code !== 'codec') return;
    this.stream = (await liveStream(this.name)) ?? null;
    if (this.error === error) this.dispatchEvent(new Event('state'));
  }

  /** @param {string} warning */
  #warn(warning) {
    if (this.warning === warning) return;
    this.warning = warning;
    this.dispatchEvent(new Event('state'));
  }

  /** @param {PlaybackState} state */
  #setState(state) {
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }
}

/**
 * The delay of that try, spread a little so that many viewers do not come back in the same instant.
 * @param {number[]} delays
 * @param {number} attempt
 */
function later(delays, attempt) {
  const delay = delays[Math.min(attempt, delays.length - 1)];
  return delay * (0.8 + Math.random() * 0.4);
}
