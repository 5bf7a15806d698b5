/**
 * A small reader of live HLS in fragmented MP4, for browsers that have Media Source Extensions: it fetches parts and
 * segments and gives them to a video element. What the playlist still has can be seen again.
 *
 * It is for the playlists of this server: one video element, sound and picture in the same segments, no encryption.
 */
import { HeadwaterError } from './errors.js';
import { parse, reload, variants } from './hls-playlist.js';

/** Seconds ahead of what is seen that are fetched, and behind it that are kept. */
const AHEAD_S = 20;
const KEPT_S = 30;
/** A hole in what was fetched is jumped over if it is shorter than this, in seconds. */
const HOLE_S = 1;
/** Beyond what is wanted by so much the element is brought back to the live edge, as long as the viewer did not leave it, in seconds. */
const LATE_S = 3;
const STEP_MS = 100;
/** Troubles in a row after which it is given up. */
const FAILURES_MAX = 4;

/** The browser's own; Safari on phones has only the managed one. @returns {typeof MediaSource|undefined} */
export const kindOfSource = () => globalThis.MediaSource ?? /** @type {any} */ (globalThis).ManagedMediaSource;

export class HlsReader {
  #video;
  #leave = new AbortController();
  /** @type {MediaSource|null} */
  #source = null;
  /** @type {SourceBuffer|null} */
  #buffer = null;
  /** @type {import('./hls-playlist.js').MediaPlaylist|null} */
  #playlist = null;
  #uri = '';
  /** Time of the element at which the first segment of the playlist begins; null before anything was fetched. @type {number|null} */
  #zero = null;
  /** The init segment in force, by its address. */
  #map = '';
  #failures = 0;
  /** Whether the viewer has left the live edge. */
  #isWound = false;
  bytes = 0;
  /** Told when it is over. @type {(error: HeadwaterError) => void} */
  onlost = () => {};

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.#video = video;
  }

  /** Resolves when something has been fetched. @param {string} address @param {string} text of the first playlist */
  async start(address, text) {
    const Source = kindOfSource();
    if (!Source) throw new HeadwaterError('unsupported', 'this browser has no Media Source Extensions');
    const [variant, mime] = this.#choose(Source, address, text);
    this.#uri = variant;
    const source = (this.#source = new Source());
    this.#video.srcObject = null;
    if (!('MediaSource' in globalThis)) this.#video.disableRemotePlayback = true;
    const url = (this.#video.src = URL.createObjectURL(source));
    await new Promise((done) => source.addEventListener('sourceopen', done, { once: true, signal: this.#leave.signal }));
    URL.revokeObjectURL(url);
    source.duration = Infinity;
    this.#buffer = source.addSourceBuffer(mime);
    await this.#refresh();
    this.#follow();
    this.#feed();
  }

  /** @param {typeof MediaSource} Source @param {string} address @param {string} text @returns {[string, string]} */
  #choose(Source, address, text) {
    const list = variants(text, address);
    const type = (/** @type {string} */ codecs) => `video/mp4; codecs="${codecs || 'avc1.42e01f,mp4a.40.2'}"`;
    if (list.length === 0) return [address, type('')];
    const found = list.find(({ codecs }) => Source.isTypeSupported(type(codecs)));
    if (!found) throw new HeadwaterError('codec', `this browser does not play ${list[0].codecs}`);
    return [found.uri, type(found.codecs)];
  }

  /** The part that can be seen, in seconds of the element's time. */
  get range() {
    const pieces = this.#playlist?.pieces;
    if (!pieces?.length || this.#zero === null) return null;
    const last = pieces[pieces.length - 1];
    return { start: this.#zero, end: this.#zero + last.at + last.duration };
  }

  /** How far behind the end of what is there it is to play, in seconds. */
  get hold() {
    return this.#playlist?.hold ?? 0;
  }

  /** @param {number} time */
  seek(time) {
    const { range } = this;
    if (!range) return;
    this.#isWound = time < range.end - this.hold - LATE_S;
    this.#video.currentTime = Math.max(range.start + 0.1, Math.min(time, range.end - this.hold));
  }

  toLive() {
    if (this.range) this.seek(this.range.end);
  }

  /** Keeps the playlist up to date. */
  async #follow() {
    while (!this.#leave.signal.aborted && !this.#playlist?.isOver) {
      if (!this.#playlist?.blocks) await this.#rest((this.#playlist?.target ?? 1) * 500);
      try {
        await this.#refresh();
        this.#failures = 0;
      } catch (error) {
        if (this.#leave.signal.aborted) return;
        this.#failures += 1;
        const { status = 0 } = /** @type {HeadwaterError} */ (error);
        if (status === 404 || status === 410) return this.#lose(new HeadwaterError('not-live', 'the stream has ended'));
        if (this.#failures > FAILURES_MAX || status === 401 || status === 403) return this.#lose(error);
        await this.#rest(300 * this.#failures);
      }
    }
  }

  async #refresh() {
    const response = await this.#fetch(reload(this.#uri, this.#playlist));
    const playlist = parse(await response.text(), response.url || this.#uri);
    const before = this.#playlist;
    if (before && this.#zero !== null) {
      // The window moves on: what is the first segment now began later.
      const same = before.pieces.find(({ sequence }) => sequence === playlist.pieces[0]?.sequence);
      const end = before.pieces[before.pieces.length - 1];
      this.#zero += same ? same.at : playlist.first > before.first && end ? end.at + end.duration : 0;
    }
    this.#playlist = playlist;
    this.#tellRange();
  }

  #tellRange() {
    const { range } = this;
    if (range && this.#source?.readyState === 'open' && !this.#buffer?.updating) this.#source.setLiveSeekableRange?.(range.start, range.end);
  }

  /** Fetches what is next, one piece after the other. */
  async #feed() {
    while (!this.#leave.signal.aborted) {
      const piece = this.#next();
      try {
        if (piece) await this.#take(piece);
        else await this.#rest(STEP_MS);
        this.#keepUp();
        await this.#trim();
      } catch (error) {
        if (this.#leave.signal.aborted) return;
        if (!(error instanceof HeadwaterError) || ++this.#failures > FAILURES_MAX) return this.#lose(error);
        await this.#rest(STEP_MS);
      }
    }
  }

  /** @returns {import('./hls-playlist.js').Piece|undefined} */
  #next() {
    const pieces = this.#playlist?.pieces ?? [];
    if (this.#zero === null) {
      const last = pieces[pieces.length - 1];
      const start = last ? last.at + last.duration - this.hold : 0;
      const fit = pieces.filter(({ starts, at }) => starts && at <= start);
      return fit[fit.length - 1] ?? pieces.find(({ starts }) => starts);
    }
    const end = this.#bufferedEnd();
    const now = this.#video.currentTime;
    if (end !== null) {
      if (end - now > AHEAD_S) return undefined;
      return pieces.find(({ at, duration }) => (this.#zero ?? 0) + at + duration / 2 > end);
    }
    // After a jump to what is not there: from the last start before it.
    const before = pieces.filter(({ starts, at }) => starts && (this.#zero ?? 0) + at <= now + 0.05);
    return before[before.length - 1] ?? pieces.find(({ starts }) => starts);
  }

  /** Where what is there around the present ends; null if there is nothing. */
  #bufferedEnd() {
    const buffered = this.#buffer?.buffered;
    const now = this.#video.currentTime;
    for (let index = 0; index < (buffered?.length ?? 0); index++) {
      const [start, end] = [/** @type {TimeRanges} */ (buffered).start(index), /** @type {TimeRanges} */ (buffered).end(index)];
      if (now >= start - HOLE_S && now <= end + 0.05) return end;
    }
    return null;
  }

  /** @param {import('./hls-playlist.js').Piece} piece */
  async #take(piece) {
    if (piece.map && piece.map !== this.#map) {
      await this.#append(await (await this.#fetch(new URL(piece.map))).arrayBuffer());
      this.#map = piece.map;
    }
    await this.#append(await (await this.#fetch(new URL(piece.uri))).arrayBuffer());
    const buffered = this.#buffer?.buffered;
    if (this.#zero === null && buffered?.length) {
      const start = buffered.start(0);
      this.#zero = start - piece.at;
      this.#video.currentTime = Math.max(start + 0.05, (this.range?.end ?? 0) - this.hold);
      this.#tellRange();
    }
  }

  /** @param {ArrayBuffer} data */
  async #append(data) {
    this.bytes += data.byteLength;
    await this.#edit((buffer) => buffer.appendBuffer(data));
  }

  async #trim() {
    const { buffered } = this.#buffer ?? {};
    const now = this.#video.currentTime;
    if (buffered?.length && now - buffered.start(0) > KEPT_S * 1.5) await this.#edit((buffer) => buffer.remove(0, now - KEPT_S));
  }

  /** Browsers do one thing with a buffer at a time. @param {(buffer: SourceBuffer) => void} work */
  async #edit(work) {
    const buffer = this.#buffer;
    if (!buffer || this.#leave.signal.aborted) return;
    const done = new Promise((resolve, reject) => {
      const leave = new AbortController();
      const end = (/** @type {() => void} */ then) => () => (leave.abort(), then());
      buffer.addEventListener('updateend', end(() => resolve(undefined)), { signal: leave.signal });
      buffer.addEventListener('error', end(() => reject(new Error(this.#video.error?.message ?? 'the browser cannot read its segments'))), { signal: leave.signal });
    });
    work(buffer);
    await done;
  }

  /** Jumps over holes, and back to the live edge when that has gone ahead. */
  #keepUp() {
    const { range } = this;
    const video = this.#video;
    const buffered = this.#buffer?.buffered;
    if (!range || !buffered?.length || video.seeking) return;
    const late = range.end - this.hold - LATE_S - video.currentTime;
    if (video.currentTime < range.start - 0.5 || (late > 0 && !this.#isWound)) return this.toLive();
    if (video.readyState > 2) return;
    for (let index = 0; index < buffered.length; index++) {
      const gap = buffered.start(index) - video.currentTime;
      if (gap > 0 && gap < HOLE_S) video.currentTime = buffered.start(index) + 0.01;
    }
    if (this.#playlist?.isOver && range.end - video.currentTime < 0.5) this.#lose(new HeadwaterError('not-live', 'the stream has ended'));
  }

  /** @param {URL} address */
  async #fetch(address) {
    const response = await fetch(address, { signal: this.#leave.signal }).catch((cause) => {
      throw new HeadwaterError('network', undefined, { cause });
    });
    if (!response.ok) throw new HeadwaterError(response.status >= 500 ? 'server' : 'network', `the server answered ${response.status}`, { status: response.status });
    return response;
  }

  /** @param {number} ms */
  #rest(ms) {
    return new Promise((done) => setTimeout(done, ms));
  }

  /** @param {unknown} error */
  #lose(error) {
    if (this.#leave.signal.aborted) return;
    this.stop();
    this.onlost(error instanceof HeadwaterError ? error : new HeadwaterError('codec', String(/** @type {any} */ (error)?.message ?? error)));
  }

  stop() {
    this.#leave.abort();
    this.#buffer = this.#source = null;
  }
}
