/**
 * One buffer of the browser, and the rendition that goes into it: sound and picture together, or one of them.
 *
 * All renditions of a stream tell the wall clock of their pieces, so a piece of any has its place in the element's time
 * as soon as that of one is known.
 *
 * @import { Piece } from './hls-playlist.js'
 */
import { HeadwaterError } from './errors.js';
import { FAILURES_MAX, HlsFollower, get, read, rest } from './hls-follow.js';
import { codecsOf, isSound } from './hls-init.js';

/** Seconds ahead of what is seen that are fetched, and behind it that are kept. */
const AHEAD_S = 20;
const KEPT_S = 30;
/** A hole in what was fetched is jumped over if it is shorter than this, in seconds. */
export const HOLE_S = 1;
const STEP_MS = 100;
/** What is about to be seen is not replaced by another rendition, in seconds. */
const SHOWN_S = 0.25;
/** Another rendition that has no place to begin for so long begins all the same, and so it does when no more than this is left to show. */
const SWITCH_MS = 6000;
const URGENT_S = 0.4;
/** What was fetched and is not there, as a browser short of memory throws it away, is fetched again after so long. */
const GONE_MS = 1000;

/** Its tracks are others than those that the buffer was made for. */
export class OtherTracks extends Error {}

/** @typedef {{zero: number|null}} Place  the wall clock at the beginning of the element's time, in milliseconds */

export class HlsTrack {
  #video;
  #buffer;
  #place;
  #leave = new AbortController();
  /** @type {HlsFollower} */
  #follower;
  /** The rendition that is to follow. @type {{follower: HlsFollower, since: number, then: () => void}|null} */
  #next = null;
  /** The stretch that is being fetched, in seconds of the element's time: what comes next begins at its end. @type {{start: number, end: number}|null} */
  #run = null;
  /** It has begun behind what is seen, and is to replace what is there. */
  #isBehind = false;
  #gone = 0;
  /** What lies before was here already, in seconds of the element's time. */
  #newest = -Infinity;
  /** The init segment in force, by its address. */
  #map = '';
  #failures = 0;
  #mime;
  /** Told when it is over. @type {(error: unknown) => void} */
  onlost = () => {};
  /** Told after each piece. */
  onpiece = () => {};
  /** Told of what is fetched. @type {import('./hls-levels.js').Rate} */
  #meter;
  #isWanted;

  /**
   * @param {HTMLVideoElement} video
   * @param {SourceBuffer} buffer
   * @param {{mime: string, uri: string, place: Place, meter: import('./hls-levels.js').Rate, isWanted: () => boolean}} rendition
   */
  constructor(video, buffer, { mime, uri, place, meter, isWanted }) {
    this.#video = video;
    this.#buffer = buffer;
    this.#place = place;
    this.#mime = mime;
    this.#meter = meter;
    this.#isWanted = isWanted;
    this.#follower = new HlsFollower(uri);
    this.#follower.onlost = (error) => this.onlost(error);
  }

  /** Resolves when its playlist is there. */
  async start() {
    await this.#follower.start();
    this.#feed();
  }

  stop() {
    this.#leave.abort();
    this.#follower.stop();
    this.#next?.follower.stop();
  }

  get playlist() {
    return this.#follower.playlist;
  }

  get isUpdating() {
    return this.#buffer.updating;
  }

  /** Seconds that are there beyond what is seen. */
  get ahead() {
    return (this.#bufferedEnd() ?? this.#video.currentTime) - this.#video.currentTime;
  }

  /** The part that can be seen, in seconds of the element's time. */
  get range() {
    const { pieces } = this.playlist ?? {};
    if (!pieces?.length || this.#place.zero === null) return null;
    const last = pieces[pieces.length - 1];
    return { start: this.#at(pieces[0]), end: this.#at(last) + last.duration };
  }

  /** Where the stream goes on if it has nothing at a time; null if it has, or if nothing follows. @param {number} time */
  resumption(time) {
    const { pieces = [] } = this.playlist ?? {};
    if (this.#place.zero === null || pieces.some((piece) => this.#at(piece) <= time && time <= this.#at(piece) + piece.duration)) return null;
    const next = pieces.find((piece) => this.#at(piece) > time);
    return next ? this.#at(next) + 0.05 : null;
  }

  /** Goes on with another rendition where that has a place to begin. Resolves when it does. @param {string} uri */
  async follow(uri) {
    this.#next?.follower.stop();
    const follower = new HlsFollower(uri);
    await new Promise((done, fail) => {
      const next = (this.#next = { follower, since: performance.now(), then: () => done(undefined) });
      const lost = (/** @type {unknown} */ error) => {
        if (this.#next === next) this.#next = null;
        fail(error);
      };
      follower.onlost = lost;
      follower.start().catch(lost);
    });
  }

  /** Time of the element at which a piece begins. @param {Piece} piece */
  #at(piece) {
    return (piece.date - (this.#place.zero ?? 0)) / 1000;
  }

  /** Fetches what is next, one piece after the other. */
  async #feed() {
    while (!this.#leave.signal.aborted) {
      try {
        this.#turn();
        const piece = this.#isWanted() ? this.#choose() : undefined;
        if (piece) await this.#take(piece);
        else await rest(STEP_MS);
        await this.#trim();
      } catch (error) {
        if (this.#leave.signal.aborted) return;
        if (!(error instanceof HeadwaterError) || ++this.#failures > FAILURES_MAX) return this.onlost(error);
        await rest(STEP_MS);
      }
    }
  }

  /** Turns to the rendition that is to follow where it can begin ahead of what is seen; or behind it, if that is soon all. */
  #turn() {
    const next = this.#next;
    const starts = next?.follower.playlist?.pieces.filter((piece) => piece.starts) ?? [];
    if (!next || starts.length === 0 || this.#isBehind) return;
    const now = this.#video.currentTime;
    const end = Math.max(this.#run?.end ?? now, now);
    const fit = starts.filter((piece) => this.#at(piece) > now + SHOWN_S && this.#at(piece) <= end + 0.1).pop();
    if (!fit && end - now > URGENT_S && performance.now() - next.since < SWITCH_MS) return;
    const start = fit ?? starts.filter((piece) => this.#at(piece) <= end).pop() ?? starts[0];
    this.#follower.stop();
    this.#follower = next.follower;
    this.#follower.onlost = (error) => this.onlost(error);
    this.#next = null;
    this.#run = { start: now, end: this.#at(start) };
    this.#isBehind = !fit;
    next.then();
  }

  /** @returns {Piece|undefined} */
  #choose() {
    const { pieces = [], hold = 0 } = this.playlist ?? {};
    if (this.#place.zero === null) {
      const last = pieces[pieces.length - 1];
      const start = last ? last.date + (last.duration - hold) * 1000 : 0;
      // The buffer was made for the tracks of now.
      const alike = pieces.filter(({ starts, map }) => starts && map === last.map);
      return alike.filter(({ date }) => date <= start).pop() ?? alike[0];
    }
    const now = this.#video.currentTime;
    const run = (this.#run = this.#stretch(pieces, now));
    if (!run || run.end - now > AHEAD_S) return undefined;
    return pieces.find((piece) => this.#at(piece) + piece.duration / 2 > run.end);
  }

  /** What to go on with: the stretch of before, or another if the viewer has left it. @param {Piece[]} pieces @param {number} now */
  #stretch(pieces, now) {
    const run = this.#run;
    const there = this.#isBehind ? null : this.#bufferedEnd();
    const isWithin = run !== null && now >= run.start - HOLE_S && now <= run.end;
    if (there !== null || this.#isBehind) this.#gone = performance.now();
    if (isWithin && performance.now() - this.#gone < GONE_MS) return run;
    if (there !== null) return { start: now, end: there };
    const first = pieces.filter((piece) => piece.starts && this.#at(piece) <= now + 0.05).pop() ?? pieces.find(({ starts }) => starts);
    if (!first) return run;
    const start = this.#at(first);
    // It is only late, and there is no later place to begin.
    if (run !== null && !isWithin && now > run.end && start <= run.end + 0.05) return run;
    this.#gone = performance.now();
    return { start: Math.min(start, now), end: start };
  }

  /** Where what is there around the present ends; null if there is nothing. */
  #bufferedEnd() {
    const { buffered } = this.#buffer;
    const now = this.#video.currentTime;
    for (let index = 0; index < buffered.length; index++) {
      if (now >= buffered.start(index) - HOLE_S && now <= buffered.end(index) + 0.05) return buffered.end(index);
    }
    return null;
  }

  /** @param {Piece} piece */
  async #take(piece) {
    if (piece.map && piece.map !== this.#map) {
      const init = await this.#fetch(piece.map, false);
      this.#change(init);
      await this.#append(init);
      this.#map = piece.map;
    }
    const isNew = this.#place.zero === null || this.#at(piece) > this.#newest;
    await this.#append(await this.#fetch(piece.uri, isNew));
    this.#failures = 0;
    const { buffered } = this.#buffer;
    if (this.#place.zero === null && buffered.length) this.#place.zero = piece.date - buffered.start(0) * 1000;
    if (this.#place.zero === null) return;
    const start = this.#at(piece);
    this.#run = { start: this.#run?.start ?? start, end: start + piece.duration };
    this.#newest = Math.max(this.#newest, start);
    this.#catchUp(this.#run.end);
    this.onpiece();
  }

  /** A browser shows what replaces that which it shows only when it is told to look again. @param {number} end */
  #catchUp(end) {
    const video = this.#video;
    if (!this.#isBehind || end < video.currentTime + 0.1) return;
    this.#isBehind = false;
    if (!video.seeking) video.currentTime += 0.001;
  }

  /** Tells the buffer of other codecs than those it is fed so far. @param {Uint8Array} init */
  #change(init) {
    const found = codecsOf(init);
    const [container, list = ''] = this.#mime.replace(/"/g, '').split('; codecs=');
    const kinds = (/** @type {string[]} */ codecs) => codecs.map((codec) => isSound(codec)).sort().join();
    if (found.length === 0 || found.join() === list) return;
    if (kinds(found) !== kinds(list.split(','))) throw new OtherTracks('the stream has other tracks now');
    const mime = `${container}; codecs="${found.join(',')}"`;
    try {
      this.#buffer.changeType(mime);
      this.#mime = mime;
    } catch (cause) {
      throw new HeadwaterError('codec', `this browser does not play ${found.join(' and ')}`, { cause });
    }
  }

  /** @param {string} uri @param {boolean} isNew  whether it has to come through the network */
  async #fetch(uri, isNew) {
    const { signal } = this.#leave;
    if (!isNew) return read(await get(uri, signal), (bytes) => (this.#meter.total += bytes));
    const fetch = this.#meter.begin();
    try {
      return await read(await get(uri, signal), (bytes) => this.#meter.add(fetch, bytes));
    } finally {
      this.#meter.end(fetch);
    }
  }

  async #trim() {
    const { buffered } = this.#buffer;
    const now = this.#video.currentTime;
    if (buffered.length && now - buffered.start(0) > KEPT_S * 1.5) await this.#edit((buffer) => buffer.remove(0, now - KEPT_S));
  }

  /** @param {Uint8Array} data */
  #append(data) {
    return this.#edit((buffer) => buffer.appendBuffer(/** @type {BufferSource} */ (data)));
  }

  /** Browsers do one thing with a buffer at a time. @param {(buffer: SourceBuffer) => void} work */
  async #edit(work) {
    const buffer = this.#buffer;
    if (this.#leave.signal.aborted) return;
    const done = new Promise((resolve, reject) => {
      const leave = new AbortController();
      const end = (/** @type {() => void} */ then) => () => (leave.abort(), then());
      buffer.addEventListener('updateend', end(() => resolve(undefined)), { signal: leave.signal });
      buffer.addEventListener('error', end(() => reject(new Error(this.#video.error?.message ?? 'the browser cannot read its segments'))), { signal: leave.signal });
    });
    work(buffer);
    await done;
  }
}
