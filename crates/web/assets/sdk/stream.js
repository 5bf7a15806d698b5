/**
 * One stream that this page publishes or plays; it keeps going until it is stopped.
 *
 *     idle ─ publish, play ─> connecting ─> publishing | playing <─> reconnecting
 *                                 └─> failed                            └─> failed    stopped: by `stop`
 *
 * What is public is told in headwater.d.ts.
 *
 * @import { Quality, Signalling, Source, Stats, StreamOptions, StreamState, Wish, Wishes } from './headwater.d.ts'
 */
import { Backoff } from './backoff.js';
import { Display } from './display.js';
import { HeadwaterError, loaded } from './errors.js';
import { Link, askForStereo } from './link.js';
import { Local } from './local.js';
import { receive, send } from './tracks.js';

const STATS_MS = 1000;
/** Without a packet for this long, a viewer asks anew. */
const STALLED_MS = 15_000;
/** Connected for this long, a session was good: its loss is retried at once. */
const GOOD_MS = 10_000;
/** @type {Quality} */
const NONE = { level: 0, word: 'none', reason: 'There is no connection.' };

export class Stream extends EventTarget {
  #session;
  #options;
  #backoff;
  /** @type {Link|null} */
  #link = null;
  /** @type {Signalling|null} */
  #signalling = null;
  /** @type {import('./meter.js').Meter|null} */
  #meter = null;
  /** @type {'publish'|'play'} */
  #role = 'play';
  /** @type {string|undefined} */
  #rendition;
  #been = false;
  #muted = { audio: false, video: false };
  /** What the publisher of a stream that plays has muted. */
  remoteMuted = { audio: false, video: false };
  /** @type {{resolve: (stream: Stream) => void, reject: (error: HeadwaterError) => void}|null} */
  #waiting = null;
  #display = new Display();
  /** @type {any} */
  #retry;
  /** @type {any} */
  #ticks;
  #since = 0;
  #leave = new AbortController();

  /** @type {StreamState} */
  state = 'idle';
  /** @type {HeadwaterError|null} */
  error = null;
  /** @type {Stats|null} */
  stats = null;
  /** @type {Quality} */
  quality = NONE;
  media = new MediaStream();
  #local = new Local(this.media, this.#muted);

  /** @param {import('./session.js').Session} session @param {StreamOptions} options */
  constructor(session, options) {
    super();
    this.#session = session;
    this.#options = options;
    this.#backoff = new Backoff(options.reconnect || undefined);
    this.#local.onend = (screen) => this.#ended(screen);
    this.name = options.name;
  }

  get peer() {
    return this.#link?.peer ?? null;
  }

  get display() {
    return this.#display.element;
  }

  get running() {
    return !['idle', 'stopped', 'failed'].includes(this.state);
  }

  publish = () => this.#start('publish');
  /** @param {{rendition?: string}} [options] */
  play = (options) => this.#start('play', options?.rendition);

  /** @param {'publish'|'play'} role @param {string} [rendition] @returns {Promise<Stream>} */
  async #start(role, rendition) {
    if (this.running) throw new HeadwaterError('invalid', `the stream ${this.name} runs already`);
    this.#role = role;
    this.#rendition = rendition;
    this.#been = false;
    this.error = null;
    this.#backoff.reset();
    this.#leave = new AbortController();
    const { signal } = this.#leave;
    const done = new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
    // The network is back: why wait?
    globalThis.addEventListener?.('online', () => this.#retry !== undefined && this.#connect(), { signal });
    globalThis.addEventListener?.('pagehide', () => this.#link?.close(), { signal });
    this.#setState('connecting');
    this.#openAndConnect(signal);
    return done;
  }

  /** @param {AbortSignal} signal */
  async #openAndConnect(signal) {
    try {
      if (this.#role === 'publish') {
        await this.#local.use(this.#options.source ?? 'camera', this.#options, null);
        if (signal.aborted) return;
      }
      this.#display.show(this.#options.display, this.media);
      if (this.display && this.#role === 'publish') this.display.muted = true;
      this.#show();
    } catch (error) {
      return signal.aborted ? undefined : this.#fail(error);
    }
    this.#connect();
  }

  async #connect() {
    const { signal } = this.#leave;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    try {
      const signalling = await this.#session.signalling(this.#options, this.#role === 'publish', this.#been ? undefined : this.#rendition);
      if (signal.aborted) return signalling.forget();
      this.#signalling = signalling;
      signalling.onmute = (kind, muted) => this.#heard(kind, muted);
      const shape = this.#role === 'play' ? askForStereo : undefined;
      const link = (this.#link = new Link(signalling, { iceServers: this.#session.iceServers, shape }));
      // A link that was closed says nothing more.
      link.addEventListener('connected', () => this.#live());
      link.addEventListener('interrupted', () => this.#setState('reconnecting'));
      link.addEventListener('ended', (event) => this.#lost(/** @type {CustomEvent} */ (event).detail));
      if (this.#role === 'publish') send(link.peer, this.media, this.#options);
      else receive(link.peer, this.media, this.#options, (track) => this.#received(track));
      await link.open().catch((error) => link === this.#link && this.#lost(error));
    } catch (error) {
      if (!signal.aborted) this.#lost(error);
    }
  }

  /** @param {MediaStreamTrack} track */
  #received(track) {
    if (track.kind === 'video') track.enabled = !this.#muted.video;
    this.#show();
  }

  async #show() {
    if (!(await this.#display.play())) return;
    this.#muted.audio = true;
    this.dispatchEvent(new Event('blocked'));
  }

  #live() {
    const again = this.#been;
    this.#been = true;
    this.error = null;
    this.#since = Date.now();
    clearInterval(this.#ticks);
    this.#ticks = setInterval(() => this.#measure(), STATS_MS);
    this.#setState(this.#role === 'publish' ? 'publishing' : 'playing');
    for (const kind of /** @type {const} */ (['audio', 'video'])) if (this.#muted[kind]) this.#mute(kind, true);
    // A publisher that is back may not send that size yet; the picture is worth more.
    if (again && this.#rendition) this.renditions(this.#rendition).catch(() => {});
    this.#waiting?.resolve(this);
    this.#waiting = null;
  }

  /** @param {any} error */
  #lost(error) {
    if (this.#since && Date.now() - this.#since > GOOD_MS) this.#backoff.reset();
    this.#drop();
    const { reconnect, wait } = this.#options;
    const again = (this.#been || wait) && (error.passing || error.code === 'not-live' || (this.#been && error.code === 'name-in-use'));
    const delay = again && reconnect !== false ? this.#backoff.next(error.retryAfter * 1000) : null;
    if (delay === null) return this.#fail(error);
    this.error = error;
    this.#retry = setTimeout(() => this.#connect(), delay);
    this.#setState(this.#been ? 'reconnecting' : 'connecting');
  }

  async #measure() {
    const link = this.#link;
    if (!link) return;
    // Loaded when it is first of use: nobody waits for it before the picture.
    const module = await import('./meter.js').catch(() => null);
    if (!module || link !== this.#link) return;
    this.#meter ??= new module.Meter();
    const stats = await this.#meter.read(link.peer).catch(() => null);
    if (!stats || link !== this.#link) return;
    this.stats = stats;
    this.quality = this.#meter.quality;
    this.dispatchEvent(new CustomEvent('stats', { detail: stats }));
    if (this.#role === 'play' && this.#meter.stillMs > STALLED_MS) this.#lost(new HeadwaterError('network', 'nothing has arrived for a while'));
  }

  /** @param {string} [chosen] */
  renditions = async (chosen) => (await loaded(import('./renditions.js'))).renditions(this.state === 'playing' ? this.#signalling : null, chosen);
  /** @param {string} label */
  setRendition = async (label) => {
    await this.renditions(label);
    this.#rendition = label;
  };

  muteAudio = () => this.#mute('audio', true);
  unmuteAudio = () => this.#mute('audio', false);
  muteVideo = () => this.#mute('video', true);
  unmuteVideo = () => this.#mute('video', false);

  get audioMuted() {
    return this.#muted.audio;
  }
  get videoMuted() {
    return this.#muted.video;
  }

  /** A muted publisher sends silence or black, so every viewer notices, whatever it plays with. @param {'audio'|'video'} kind @param {boolean} muted */
  #mute(kind, muted) {
    this.#muted[kind] = muted;
    if (this.#role === 'play' && kind === 'audio' && this.display) {
      this.display.muted = muted;
      this.#show();
    } else {
      for (const track of this.media.getTracks()) if (track.kind === kind) track.enabled = !muted;
    }
    if (this.state === 'publishing') this.#signalling?.mute?.(kind, muted);
    this.dispatchEvent(new CustomEvent('mute', { detail: { ...this.#muted } }));
  }

  /** @param {'audio'|'video'} kind @param {boolean} muted */
  #heard(kind, muted) {
    if (this.remoteMuted[kind] === muted) return;
    this.remoteMuted = { ...this.remoteMuted, [kind]: muted };
    this.dispatchEvent(new CustomEvent('remotemute', { detail: this.remoteMuted }));
  }

  /** @param {Wish} [wish] */
  useCamera = (wish = true) => this.use('camera', { video: wish, audio: false });
  /** @param {Wish} [wish] */
  useMicrophone = (wish = true) => this.use('camera', { audio: wish, video: false });
  /** @param {Wishes} [wishes] */
  useScreen = (wishes = {}) => this.use('screen', wishes);

  /** Changes what is sent, without a break for those who watch. @param {Source} source @param {Wishes} [wishes] */
  async use(source, wishes = {}) {
    if (this.#role !== 'publish' || !this.running) throw new HeadwaterError('invalid', 'only a stream that is being published can change its source');
    await this.#local.use(source, wishes, this.peer);
  }

  /** @param {boolean} screen */
  #ended(screen) {
    const { source = 'camera', video = true } = this.#options;
    if (!screen) this.#complain(new HeadwaterError('device-lost'));
    else if (source === 'camera' && video) this.useCamera(video).catch((error) => this.#complain(error));
    else this.stop();
  }

  /** @param {HeadwaterError} error */
  #complain(error) {
    this.dispatchEvent(new CustomEvent('problem', { detail: error }));
  }

  async stop() {
    if (this.running) await this.#finish('stopped', new HeadwaterError('stopped'));
  }

  /** @param {any} error */
  #fail(error) {
    this.error = error;
    this.#finish('failed', error);
  }

  /** Lets go of everything: camera, connection, the element it made. @param {StreamState} state @param {HeadwaterError} error */
  #finish(state, error) {
    this.#leave.abort();
    const ended = this.#drop();
    this.#local.clear();
    this.#display.clear();
    this.#setState(state);
    this.#waiting?.reject(error);
    this.#waiting = null;
    return ended;
  }

  #drop() {
    clearTimeout(this.#retry);
    clearInterval(this.#ticks);
    this.#retry = undefined;
    this.#since = 0;
    this.stats = null;
    this.#meter = null;
    this.quality = NONE;
    const link = this.#link;
    this.#link = null;
    return link?.close();
  }

  /** @param {StreamState} state */
  #setState(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent('state', { detail: state }));
  }
}
