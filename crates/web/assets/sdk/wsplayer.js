/**
 * WSPlayer: plays coded frames that come over a WebSocket, by WebCodecs, on a canvas.
 *
 *     const player = new WsPlayer({ base: 'https://media.example.org/', name: 'demo', canvas });
 *     player.addEventListener('lost', ({ detail }) => …);
 *     await player.start();                                  // resolves with the first picture or sound
 *
 * WebSocket, decoders and canvas are in a worker, the sound in the audio thread: a busy page does not stop them. The
 * sound is the clock that pictures follow; where there is none, the arrival of the frames is.
 *
 * Events: `lost` (`detail` is a `HeadwaterError`; it is over), `blocked` (the browser gives no sound before a tap),
 * `resize`, `tracks`. One object is one session.
 */
import { HeadwaterError } from './errors.js';

/** What is asked of the browser for each codec of the server. @type {Record<string, string>} */
const VIDEO = { h264: 'avc1.42e01f', h265: 'hvc1.1.6.L93.B0', vp8: 'vp8', vp9: 'vp09.00.31.08', av1: 'av01.0.08M.08' };
/** @type {Record<string, string>} */
const AUDIO = { opus: 'opus', aac: 'mp4a.40.2' };
/** How often the worker is told which sound is heard now. */
const OUTPUT_MS = 250;
/** A browser that lets the page be heard does so by then. */
const RESUME_MS = 500;

export class WsPlayer extends EventTarget {
  #options;
  /** @type {Worker|null} */
  #worker = null;
  /** @type {AudioContext|null} */
  #context = null;
  /** @type {GainNode|null} */
  #gain = null;
  /** @type {AudioWorkletNode|null} */
  #ring = null;
  #volume = 1;
  #muted = false;
  /** @type {any} */
  #timer;
  /** @type {{resolve: () => void, reject: (error: HeadwaterError) => void}|null} */
  #waiting = null;
  /** @type {((figures: any) => void)[]} */
  #questions = [];
  #before = { at: 0, video: 0, audio: 0, decoded: 0 };
  #leave = new AbortController();
  /** What is played: `kind`, `format`, `codec`, `width`, … of each track. @type {any[]} */
  tracks = [];
  /** Tracks of the stream that do not come, each with `kind` and `reason`. @type {any[]} */
  missing = [];
  width = 0;
  height = 0;

  /**
   * @param {{base: string|URL, name: string, canvas: HTMLCanvasElement, token?: string, volume?: number, muted?: boolean}} options
   *   `canvas` must be new: it is given to the worker for good
   */
  constructor(options) {
    super();
    this.#options = options;
    this.#volume = options.volume ?? 1;
    this.#muted = options.muted ?? false;
  }

  /** Why this browser or page cannot play so; empty if it can. */
  static get obstacle() {
    if (globalThis.isSecureContext === false) return 'Browsers let only pages from https or localhost decode frames themselves';
    if (!('VideoDecoder' in globalThis) || !('AudioDecoder' in globalThis)) return 'This browser has no WebCodecs';
    if (!('transferControlToOffscreen' in HTMLCanvasElement.prototype)) return 'This browser cannot draw beside the page';
    return '';
  }

  /** The codecs of the server that this browser decodes, by their names in the address. */
  static async codecs() {
    const can = async (/** @type {any} */ decoder, /** @type {any} */ config) => (await decoder.isConfigSupported(config).catch(() => null))?.supported;
    const video = Object.entries(VIDEO).map(async ([name, codec]) => (await can(VideoDecoder, { codec })) && name);
    const audio = Object.entries(AUDIO).map(async ([name, codec]) => (await can(AudioDecoder, { codec, sampleRate: 48_000, numberOfChannels: 2 })) && name);
    return (await Promise.all([...video, ...audio])).filter((name) => typeof name === 'string');
  }

  /** Which of `video`, `audio` come. */
  get kinds() {
    return this.tracks.map(({ kind }) => kind);
  }

  /** What is heard, for meters and recorders; null before the sound is known. */
  get output() {
    return this.#gain;
  }

  /** Begins the session; resolves with the first picture, or with the first sound of a stream that has no picture. */
  async start() {
    const { obstacle } = WsPlayer;
    if (obstacle) throw new HeadwaterError('unsupported', obstacle);
    const codecs = await WsPlayer.codecs();
    if (this.#leave.signal.aborted) throw new HeadwaterError('stopped');
    const canvas = this.#options.canvas.transferControlToOffscreen();
    const worker = (this.#worker = await makeWorker());
    worker.onmessage = ({ data }) => this.#hear(data);
    worker.onerror = (event) => this.#lost(new HeadwaterError('unsupported', `the player's worker did not start: ${event.message ?? ''}`));
    const { signal } = this.#leave;
    document.addEventListener('visibilitychange', () => this.#see(), { signal });
    globalThis.addEventListener('pagehide', () => this.stop(), { signal });
    this.#see();
    const begun = new Promise((resolve, reject) => (this.#waiting = { resolve: () => resolve(undefined), reject }));
    worker.postMessage({ open: { url: this.#address(codecs), canvas } }, [canvas]);
    return begun;
  }

  /** @param {string[]} codecs */
  #address(codecs) {
    const { base, name, token } = this.#options;
    const path = name.split('/').map(encodeURIComponent).join('/');
    const url = new URL(`ws/${path}`, new URL(base, document.baseURI));
    url.protocol = url.protocol.replace('http', 'ws');
    url.searchParams.set('codecs', codecs.join(','));
    if (token) url.searchParams.set('token', token);
    return url.href;
  }

  #see() {
    this.#worker?.postMessage({ seen: !document.hidden });
  }

  /** @param {any} word */
  #hear(word) {
    if (word.tracks) this.#describe(word);
    if (word.size) {
      Object.assign(this, word.size);
      this.dispatchEvent(new Event('resize'));
    }
    if (word.first) this.#begun();
    if (word.figures) this.#questions.shift()?.(word.figures);
    if (word.lost) this.#lost(new HeadwaterError(word.lost.code, word.lost.message));
  }

  /** @param {{tracks: any[], missing: any[]}} word */
  #describe({ tracks, missing }) {
    this.tracks = tracks;
    this.missing = missing;
    const sound = tracks.find(({ kind }) => kind === 'audio');
    if (sound && !this.#context) this.#openSound(sound).catch((cause) => this.#problem(cause));
    if (!this.kinds.includes('video')) this.#begun();
    this.dispatchEvent(new Event('tracks'));
  }

  #begun() {
    this.#waiting?.resolve();
    this.#waiting = null;
  }

  /** The picture goes on without. @param {unknown} cause */
  #problem(cause) {
    this.missing = [...this.missing, { kind: 'audio', reason: String(cause) }];
    this.dispatchEvent(new Event('tracks'));
  }

  /** @param {{sampleRate: number, channels: number}} track */
  async #openSound({ sampleRate, channels }) {
    const context = (this.#context = new AudioContext({ sampleRate, latencyHint: 'interactive' }));
    this.#gain = context.createGain();
    this.#gain.connect(context.destination);
    this.#level();
    await context.audioWorklet.addModule(new URL('./wsplayer/ring-worklet.js', import.meta.url).href);
    if (context !== this.#context) return;
    this.#ring = new AudioWorkletNode(context, 'headwater-ring', { numberOfInputs: 0, outputChannelCount: [Math.min(2, Math.max(1, channels))] });
    this.#ring.connect(this.#gain);
    context.onstatechange = () => this.#plug();
    this.#plug();
    this.resume();
  }

  /** Sound goes to the ring only while that plays, lest it pile up there. */
  #plug() {
    const runs = this.#context?.state === 'running';
    clearInterval(this.#timer);
    if (!runs) return this.#worker?.postMessage({ ring: null });
    const { port1, port2 } = new MessageChannel();
    this.#ring?.port.postMessage({ port: port1 }, [port1]);
    this.#worker?.postMessage({ ring: port2 }, [port2]);
    this.#timer = setInterval(() => this.#tellOutput(), OUTPUT_MS);
    this.#tellOutput();
  }

  #tellOutput() {
    const context = this.#context;
    if (!context) return;
    const { contextTime, performanceTime } = context.getOutputTimestamp?.() ?? {};
    const known = Boolean(contextTime && performanceTime);
    const guess = context.currentTime - (context.outputLatency || context.baseLatency || 0);
    const output = {
      context: known ? contextTime : guess,
      at: performance.timeOrigin + (known ? /** @type {number} */ (performanceTime) : performance.now()),
    };
    this.#worker?.postMessage({ output });
  }

  /** Makes the sound heard, as from the viewer's tap. */
  async resume() {
    const context = this.#context;
    if (!context || context.state === 'running') return;
    await Promise.race([context.resume().catch(() => {}), new Promise((done) => setTimeout(done, RESUME_MS))]);
    // What the browser says of it changes while this waits.
    if (/** @type {string} */ (context.state) !== 'running' && context === this.#context && !this.#muted) this.dispatchEvent(new Event('blocked'));
  }

  get volume() {
    return this.#volume;
  }
  set volume(volume) {
    this.#volume = volume;
    this.#level();
  }

  get muted() {
    return this.#muted;
  }
  set muted(muted) {
    this.#muted = muted;
    this.#level();
    if (!muted) this.resume();
  }

  #level() {
    this.#gain?.gain.setTargetAtTime(this.#muted ? 0 : this.#volume, this.#context?.currentTime ?? 0, 0.01);
  }

  /**
   * What is measured, in the shape of the statistics of a WebRTC session; rates since the last time it was asked.
   * @returns {Promise<import('./stats.js').SessionStats|null>}
   */
  async stats() {
    if (!this.#worker) return null;
    const asked = new Promise((done) => this.#questions.push(done));
    this.#worker.postMessage({ ask: true });
    const { video, audio, delayMs, byEar } = await asked;
    const at = performance.now();
    const seconds = (at - this.#before.at) / 1000;
    const rate = (/** @type {number} */ more) => (this.#before.at && seconds > 0 ? more / seconds : null);
    const [picture, sound] = ['video', 'audio'].map((kind) => this.tracks.find((track) => track.kind === kind));
    const none = { packetsLost: 0, lossPercent: null, jitterMs: null };
    const stats = {
      at: Date.now(),
      video: picture ? {
        ...none, codec: picture.format, decoder: 'WebCodecs', width: video.width, height: video.height,
        fps: rate(video.decoded - this.#before.decoded), bitrate: rate((video.bytes - this.#before.video) * 8),
        packetsReceived: video.received, nacks: 0, plis: 0, jitterBufferMs: byEar ? audio.levelMs : delayMs, decodeMs: null, processingMs: null,
        framesReceived: video.received, framesDecoded: video.decoded, keyFramesDecoded: video.keys, framesDropped: video.dropped,
        freezes: video.freezes, frozenMs: video.frozenMs,
      } : null,
      audio: sound ? {
        ...none, codec: `${sound.format}/${sound.sampleRate}/${sound.channels}`, bitrate: rate((audio.bytes - this.#before.audio) * 8),
        packetsReceived: audio.received, jitterBufferMs: audio.levelMs, concealedPercent: null, level: null,
      } : null,
      connection: { transport: 'WebSocket', remote: new URL(this.#options.base, document.baseURI).host, rttMs: null, security: '' },
      estimatedLatencyMs: byEar ? audio.levelMs + (this.#context?.outputLatency ?? 0) * 1000 : delayMs,
      gaps: audio.gaps,
    };
    this.#before = { at, video: video.bytes, audio: audio.bytes, decoded: video.decoded };
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
    clearInterval(this.#timer);
    this.#waiting?.reject(new HeadwaterError('stopped'));
    this.#waiting = null;
    this.#worker?.postMessage({ close: true });
    this.#worker = null;
    this.#ring?.port.postMessage({ over: true });
    const context = this.#context;
    this.#context = this.#gain = this.#ring = null;
    await context?.close().catch(() => {});
  }
}

/**
 * A worker of the module beside this one. Pages of other sites may not start a worker of ours, but one of their own that
 * loads it; and pages that allow no script made of text are shown that this is none.
 */
async function makeWorker() {
  const address = new URL('./wsplayer/worker.js', import.meta.url);
  const isForeign = address.origin !== location.origin;
  const source = isForeign ? URL.createObjectURL(new Blob([`import ${JSON.stringify(address.href)};`], { type: 'text/javascript' })) : address.href;
  const { trustedTypes } = /** @type {any} */ (globalThis);
  const policy = trustedTypes?.createPolicy('headwater-sdk', { createScriptURL: () => source });
  const worker = new Worker(policy ? policy.createScriptURL('') : source, { type: 'module' });
  if (isForeign) URL.revokeObjectURL(source);
  return worker;
}
