/**
 * A small reader of live HLS in fragmented MP4, for browsers that have Media Source Extensions: it fetches parts and
 * segments and gives them to a video element. What the playlist still has can be seen again. Of several sizes of the
 * picture it plays the one that the network carries, or the one that is chosen, with the one sound of them all.
 *
 * It is for the playlists of this server: one video element, and no encryption.
 *
 * @import { Level } from './hls-playlist.js'
 */
import { HeadwaterError } from './errors.js';
import { get, rest } from './hls-follow.js';
import { isSound } from './hls-init.js';
import { Rate, fitting } from './hls-levels.js';
import { multivariant } from './hls-playlist.js';
import { HOLE_S, HlsTrack, OtherTracks } from './hls-track.js';

/** Beyond what is wanted by so much the element is brought back to the live edge, as long as the viewer did not leave it, in seconds. */
const LATE_S = 3;
const STEP_MS = 100;
/** A size that could not be had, or that came too late, is not turned to again for so long. */
const SHUN_MS = 10_000;
/** Without anything to show for so long the size is too large, whatever was measured. */
const DRY_MS = 500;
const DRY_S = 0.1;
/** A hole is jumped over after so long. */
const HOLE_MS = 300;
/** Browsers wait for more while they have no more than so much. */
const TAIL_S = 0.3;
/** With less to show than this there is no time to measure for long. */
const SCARCE_S = 0.5;

/** So often in so long it begins anew because the stream has other tracks. */
const REOPENED_MAX = 5;
const REOPEN_MS = 20_000;

/** The browser's own; Safari on phones has only the managed one. @returns {typeof MediaSource|undefined} */
export const kindOfSource = () => globalThis.MediaSource ?? /** @type {any} */ (globalThis).ManagedMediaSource;

/** @param {string[]} codecs */
const type = (codecs) => `video/mp4; codecs="${codecs.join(',')}"`;

export class HlsReader {
  #video;
  #address = '';
  #leave = new AbortController();
  /** @type {MediaSource|null} */
  #source = null;
  /** Picture, with the sound in it or not; and then the sound. @type {HlsTrack[]} */
  #tracks = [];
  /** @type {import('./hls-track.js').Place} */
  #place = { zero: null };
  #rate = new Rate();
  /** Whether the sound is apart. */
  #isApart = false;
  #turned = 0;
  /** When it was begun anew. @type {number[]} */
  #reopened = [];
  #isTurning = false;
  /** Since when there is nothing to show. @type {number|null} */
  #dry = null;
  /** Since when it is where nothing is. @type {number|null} */
  #hole = null;
  /** Whether the viewer has left the live edge. */
  #isWound = false;
  /** The sizes that this browser plays, the best first. @type {Level[]} */
  levels = [];
  /** The place of the one that is fetched. */
  level = 0;
  /** The place of the one that the viewer has chosen; null where the network decides. @type {number|null} */
  #chosen = null;
  /** Told when it is over. @type {(error: HeadwaterError) => void} */
  onlost = () => {};

  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.#video = video;
  }

  /** Bits in a second that the network carries, as far as it was asked to; null if that is not known. */
  get rate() {
    return this.#rate.value;
  }

  /** Bytes of media so far. */
  get bytes() {
    return this.#rate.total;
  }

  /** Resolves when something has been fetched. @param {string} address @param {string} text of the first playlist */
  async start(address, text) {
    this.#address = address;
    await this.#open(text);
    this.#watch();
  }

  /** Begins anew with a source of its own and by what the server offers now: a browser cannot be given other tracks than it began with. */
  async #reopen() {
    for (const track of this.#tracks) track.stop();
    this.#tracks = [];
    this.#place = { zero: null };
    const now = performance.now();
    this.#reopened = [...this.#reopened.filter((at) => now - at < REOPEN_MS), now];
    try {
      if (this.#reopened.length > REOPENED_MAX) throw new HeadwaterError('codec', 'the tracks of the stream change again and again');
      await this.#open(await (await get(this.#address, this.#leave.signal)).text());
      this.#video.play().catch(() => {});
    } catch (error) {
      const isGone = /** @type {any} */ (error)?.status === 404;
      this.#lose(isGone ? new HeadwaterError('not-live', 'the stream has ended') : error);
    }
  }

  /** @param {string} text of the first playlist */
  async #open(text) {
    const address = this.#address;
    const Source = kindOfSource();
    if (!Source) throw new HeadwaterError('unsupported', 'this browser has no Media Source Extensions');
    const { levels, audio } = multivariant(text, address);
    // A media playlist says nothing of its codecs.
    const all = levels.length ? levels : [{ uri: address, label: '', codecs: ['avc1.42e01f', 'mp4a.40.2'], bandwidth: 0, width: 0, height: 0 }];
    this.levels = all.filter(({ codecs }) => Source.isTypeSupported(type(codecs)));
    if (this.levels.length === 0) throw new HeadwaterError('codec', `this browser does not play ${all[0].codecs}`);
    this.#isApart = audio !== null;
    this.level = this.#first();
    const source = (this.#source = new Source());
    this.#video.srcObject = null;
    if (!('MediaSource' in globalThis)) this.#video.disableRemotePlayback = true;
    const url = (this.#video.src = URL.createObjectURL(source));
    await new Promise((done) => source.addEventListener('sourceopen', done, { once: true, signal: this.#leave.signal }));
    URL.revokeObjectURL(url);
    source.duration = Infinity;
    const level = this.levels[this.level];
    const uris = [level.uri, ...(audio ? [audio] : [])];
    const mimes = [this.#mime(level), ...(audio ? [type(level.codecs.filter(isSound)).replace('video/', 'audio/')] : [])];
    // A managed source says when it wants no more for now: `startstreaming` and `endstreaming` tell of a change.
    const isWanted = () => /** @type {any} */ (source).streaming !== false;
    // All buffers are there before the first of them is filled.
    const buffers = mimes.map((mime) => source.addSourceBuffer(mime));
    this.#tracks = buffers.map((buffer, index) => new HlsTrack(this.#video, buffer, { mime: mimes[index], uri: uris[index], place: this.#place, meter: this.#rate, isWanted }));
    const [lead, ...others] = this.#tracks;
    for (const track of this.#tracks) {
      track.onlost = (error) => {
        if (!this.#tracks.includes(track)) return;
        // A size that its source sends no more is gone while others go on.
        const isOtherLeft = this.levels.length > 1 && /** @type {any} */ (error)?.code === 'not-live';
        if (error instanceof OtherTracks || isOtherLeft) this.#reopen();
        else this.#lose(error);
      };
    }
    lead.onpiece = () => {
      lead.onpiece = () => this.#tellRange();
      this.#begin();
      for (const track of others) track.start().catch((error) => track.onlost(error));
    };
    await lead.start();
  }

  /** Which size to begin with: the best, or what the browser takes the network for. */
  #first() {
    const { downlink } = /** @type {any} */ (navigator).connection ?? {};
    return downlink ? fitting(this.levels, 0, downlink * 1_000_000, Infinity) : 0;
  }

  /** @param {Level} level */
  #mime({ codecs }) {
    return type(this.#isApart ? codecs.filter((codec) => !isSound(codec)) : codecs);
  }

  /** The first piece is there. */
  #begin() {
    const { range } = this;
    if (!range) return;
    this.#video.currentTime = Math.max((this.#video.buffered.length ? this.#video.buffered.start(0) : range.start) + 0.05, range.end - this.hold);
    this.#tellRange();
  }

  #tellRange() {
    const { range } = this;
    if (!range || this.#source?.readyState !== 'open' || this.#tracks.some(({ isUpdating }) => isUpdating)) return;
    this.#source.setLiveSeekableRange?.(Math.max(0, range.start), Math.max(0, range.end));
  }

  /** The part that can be seen, in seconds of the element's time. */
  get range() {
    return this.#tracks[0]?.range ?? null;
  }

  /** How far behind the end of what is there it is to play, in seconds. */
  get hold() {
    return this.#tracks[0]?.playlist?.hold ?? 0;
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

  /** Plays one size from now on, by its place in `levels`, or the one that the network carries if it is null. @param {number|null} level */
  async choose(level) {
    this.#chosen = level;
    if (level !== null) await this.#turn(level);
  }

  /** @param {number} level */
  async #turn(level) {
    if (level === this.level || !this.levels[level]) return;
    this.#isTurning = true;
    const before = this.level;
    try {
      this.level = level;
      await this.#tracks[0].follow(this.levels[level].uri);
    } catch {
      this.level = before;
      this.levels[level].shunned = performance.now();
    } finally {
      this.#isTurning = false;
      this.#turned = performance.now();
    }
  }

  /** Keeps to the live edge, and to what the network carries. */
  async #watch() {
    while (!this.#leave.signal.aborted) {
      this.#keepUp();
      this.#adapt();
      await rest(STEP_MS);
    }
  }

  #adapt() {
    if (this.#chosen !== null || this.#isTurning || this.levels.length < 2) return;
    const now = performance.now();
    const { paused, seeking } = this.#video;
    // Browsers go on for seconds with sound alone before they say that they wait for the picture.
    const ahead = this.#tracks[0]?.ahead ?? 0;
    const isDry = !paused && !seeking && ahead < DRY_S;
    this.#dry = isDry ? (this.#dry ?? now) : null;
    if (this.#dry !== null && now - this.#dry > DRY_MS && this.level < this.levels.length - 1) {
      this.#dry = null;
      this.levels[this.level].shunned = now;
      this.#turn(this.level + 1);
      return;
    }
    const level = fitting(this.levels, this.level, ahead < SCARCE_S ? this.#rate.lowest() : this.#rate.value, now - this.#turned);
    if (now - (this.levels[level].shunned ?? -SHUN_MS) >= SHUN_MS) this.#turn(level);
  }

  /** Jumps over holes, and back to the live edge when that has gone ahead. */
  #keepUp() {
    const { range } = this;
    const video = this.#video;
    if (!range || !video.buffered.length) return;
    const late = range.end - this.hold - LATE_S - video.currentTime;
    if (!video.seeking && (video.currentTime < range.start - 0.5 || (late > 0 && !this.#isWound))) return this.toLive();
    this.#leaveHole();
    if (this.#tracks[0]?.playlist?.isOver && range.end - video.currentTime < 0.5) this.#lose(new HeadwaterError('not-live', 'the stream has ended'));
  }

  /** Goes to where there is something again. */
  #leaveHole() {
    const video = this.#video;
    const { buffered, currentTime, readyState } = video;
    const now = performance.now();
    const ranges = [...Array(buffered.length).keys()].map((index) => [buffered.start(index), buffered.end(index)]);
    this.#hole = ranges.some(([start, end]) => start <= currentTime && currentTime <= end) ? null : (this.#hole ?? now);
    // A browser that has the sound goes on for seconds, and over the smallest holes by itself.
    if (readyState > 2 && now - (this.#hole ?? now) < HOLE_MS) return;
    const near = ranges.find(([start]) => start > currentTime && start - currentTime < HOLE_S);
    const next = near ? near[0] : (this.#tracks[0]?.resumption(currentTime + TAIL_S) ?? null);
    if (next !== null) video.currentTime = next + 0.01;
  }

  /** @param {unknown} error */
  #lose(error) {
    if (this.#leave.signal.aborted) return;
    this.stop();
    this.onlost(error instanceof HeadwaterError ? error : new HeadwaterError('codec', String(/** @type {any} */ (error)?.message ?? error)));
  }

  stop() {
    this.#leave.abort();
    for (const track of this.#tracks) track.stop();
    this.#tracks = [];
    this.#source = null;
  }
}
