/**
 * Feeds a `SourceBuffer` with what comes, one thing after the other as browsers want it, and takes away what has been
 * seen.
 */

/** Seconds that stay behind what is seen, and beyond which they are taken away. */
const KEPT_S = 5;
const VIDEO_TRACK = 1;
const VIDEO_HERTZ = 90_000;
const KEPT_MAX_S = 15;
/**
 * So far before a picture that a decoder can start with is cut. Browsers count in microseconds, and round what they cut
 * by up and what they are fed down: cut at that picture itself, it would be gone, and with it all that builds on it.
 */
const CUT_BEFORE_S = 0.005;
/** Bytes that wait to be taken by the browser; beyond it, it is given up. */
const WAITING_MAX = 16 * 2 ** 20;

export class Feeder {
  #source;
  #video;
  /** @type {SourceBuffer|null} */
  #buffer = null;
  /** What waits: media, or another type for what follows it. @type {(ArrayBuffer|{mime: string})[]} */
  #queue = [];
  #waiting = 0;
  #url;
  #mime;
  /** Where decoders can start, in seconds: with what is taken away goes all up to the next such place. @type {number[]} */
  #starts = [];
  #leave = new AbortController();
  /** Told when the browser cannot take it. @type {(problem: string) => void} */
  onproblem = () => {};

  /**
   * @param {MediaSource} source
   * @param {HTMLVideoElement} video
   * @param {{mime: string, segment: ArrayBuffer}} init
   */
  constructor(source, video, { mime, segment }) {
    this.#source = source;
    this.#video = video;
    this.#mime = mime;
    this.push(segment);
    source.addEventListener('sourceopen', () => this.#open(), { once: true, signal: this.#leave.signal });
    source.addEventListener('startstreaming', () => this.#go(), { signal: this.#leave.signal });
    this.#url = URL.createObjectURL(source);
    // A managed source plays only where nothing else can take the element over.
    if (!('MediaSource' in globalThis)) /** @type {any} */ (video).disableRemotePlayback = true;
    video.srcObject = null;
    video.src = this.#url;
  }

  #open() {
    try {
      this.#source.duration = Infinity;
      const buffer = (this.#buffer = this.#source.addSourceBuffer(this.#mime));
      const { signal } = this.#leave;
      buffer.addEventListener('updateend', () => this.#go(), { signal });
      buffer.addEventListener('error', () => this.onproblem(this.#video.error?.message ?? 'the browser cannot read what was sent'), { signal });
      this.#go();
    } catch (error) {
      this.onproblem(String(error));
    }
  }

  /** What can be played: the last stretch of it. @returns {{start: number, end: number}|null} */
  get range() {
    const ranges = this.#buffer && this.#source.readyState === 'open' ? this.#buffer.buffered : null;
    if (!ranges?.length) return null;
    return { start: ranges.start(ranges.length - 1), end: ranges.end(ranges.length - 1) };
  }

  /** Whether the browser has taken all that came. */
  get isEmpty() {
    return this.#queue.length === 0 && this.#buffer !== null && !this.#buffer.updating;
  }

  /** Whether the browser wants to be fed: a managed source tells when it does not, by `endstreaming`. */
  get #isWanted() {
    return /** @type {any} */ (this.#source).streaming !== false;
  }

  /** @param {ArrayBuffer} data */
  push(data) {
    const start = startOf(data);
    if (start !== null) this.#starts.push(start);
    if (start !== null && !this.#isWanted) this.#forget();
    this.#queue.push(data);
    this.#waiting += data.byteLength;
    if (this.#waiting > WAITING_MAX) return this.onproblem('the browser is too slow to take it');
    this.#go();
  }

  /** Drops the media that waits, since what comes now builds on nothing before it. */
  #forget() {
    this.#queue = this.#queue.filter((item) => 'mime' in item || !isFragment(item));
    this.#waiting = this.#queue.reduce((sum, item) => sum + ('mime' in item ? 0 : item.byteLength), 0);
  }

  /** Goes on with another init segment of the same tracks. @param {{mime: string, segment: ArrayBuffer}} init */
  change({ mime, segment }) {
    if (mime !== this.#mime) this.#queue.push({ mime });
    this.#mime = mime;
    this.push(segment);
  }

  #go() {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.#leave.signal.aborted) return;
    try {
      if (this.#trim(buffer)) return;
      if (!this.#isWanted) return;
      const [next] = this.#queue;
      if (next && 'mime' in next) {
        this.#queue.shift();
        buffer.changeType(next.mime);
        return this.#go();
      }
      const data = this.#together();
      if (data) buffer.appendBuffer(data);
    } catch (error) {
      this.onproblem(String(error));
    }
  }

  /** Takes away what has been seen; says whether the browser is busy with that. @param {SourceBuffer} buffer */
  #trim(buffer) {
    const { buffered } = buffer;
    const now = this.#video.currentTime;
    if (!buffered.length || now - buffered.start(0) < KEPT_MAX_S) return false;
    const isSound = this.#mime.startsWith('audio/');
    const end = isSound ? now - KEPT_S : (this.#starts.findLast((start) => start < now - KEPT_S) ?? 0) - CUT_BEFORE_S;
    if (end <= buffered.start(0)) return false;
    this.#starts = this.#starts.filter((start) => start >= end);
    buffer.remove(0, end);
    return true;
  }

  /** All media that waits, in one piece. */
  #together() {
    const other = this.#queue.findIndex((item) => 'mime' in item);
    const items = /** @type {ArrayBuffer[]} */ (this.#queue.splice(0, other < 0 ? this.#queue.length : other));
    const bytes = items.reduce((sum, item) => sum + item.byteLength, 0);
    this.#waiting -= bytes;
    if (items.length < 2) return items[0];
    const whole = new Uint8Array(bytes);
    let at = 0;
    for (const item of items) {
      whole.set(new Uint8Array(item), at);
      at += item.byteLength;
    }
    return whole;
  }

  stop() {
    this.#leave.abort();
    this.#queue = [];
    URL.revokeObjectURL(this.#url);
  }
}

const MOOF = 0x6d6f6f66;

/** Whether it is media, and no init segment. @param {ArrayBuffer} data */
const isFragment = (data) => data.byteLength > 8 && new DataView(data).getUint32(4) === MOOF;

/**
 * When the picture in a fragment is decoded or shown, whatever is earlier, in seconds, if a decoder can start with it.
 * The server's fragments hold one frame, and say by a default flag that it depends on no other (ISO/IEC 14496-12 §8.8.7,
 * §8.8.8).
 * @param {ArrayBuffer} data
 */
function startOf(data) {
  const [TFHD, TFHD_AT, DEFAULT_FLAGS, OFFSETS] = [0x74666864, 32, 0x20, 0x800];
  const view = new DataView(data);
  if (data.byteLength < 108 || !isFragment(data) || view.getUint32(TFHD_AT + 4) !== TFHD) return null;
  const isStart = (view.getUint32(TFHD_AT + 8) & DEFAULT_FLAGS) !== 0 && view.getUint32(TFHD_AT + 12) === VIDEO_TRACK;
  if (!isStart) return null;
  const tfdt = TFHD_AT + view.getUint32(TFHD_AT);
  const trun = tfdt + view.getUint32(tfdt);
  // What stands behind duration and size of its only frame.
  const offset = view.getUint32(trun + 8) & OFFSETS ? view.getInt32(trun + 28) : 0;
  return (view.getUint32(tfdt + 12) * 2 ** 32 + view.getUint32(tfdt + 16) + Math.min(0, offset)) / VIDEO_HERTZ;
}
