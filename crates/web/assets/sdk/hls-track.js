/**
 * One buffer of the browser, and the rendition that goes into it: sound and picture together, or one of them.
 *
 * All renditions of a stream tell the wall clock of their pieces, so a piece of any has its place in the element's time
 * as soon as that of one is known.
 *
 * @import { Piece } from './hls-playlist.js'
 */
import { HeadwaterError } from './errors.js';
import { FAILURES_MAX, HlsFollower, get, rest } from './hls-follow.js';

/** Seconds ahead of what is seen that are fetched, and behind it that are kept. */
const AHEAD_S = 20;
const KEPT_S = 30;
/** A hole in what was fetched is jumped over if it is shorter than this, in seconds. */
export const HOLE_S = 1;
const STEP_MS = 100;
/** What is about to be seen is not replaced by another rendition, in seconds. */
const SHOWN_S = 0.25;
/** Another rendition that has no place to begin for so long begins all the same. */
const SWITCH_MS = 6000;

/** @typedef {{zero: number|null}} Place  the wall clock at the beginning of the element's time, in milliseconds */

export class HlsTrack {
  #video;
  #buffer;
  #place;
  #leave = new AbortController();
  /** @type {HlsFollower} */
  #follower;
  /** The rendition that is to follow. @type {{follower: HlsFollower, mime: string, since: number, then: () => void}|null} */
  #next = null;
  /** Where it has come to while it replaces what is there already. @type {number|null} */
  #from = null;
  /** The init segment in force, by its address. */
  #map = '';
  #failures = 0;
  #mime;
  /** Told when it is over. @type {(error: unknown) => void} */
  onlost = () => {};
  /** Told after each piece. */
  onpiece = () => {};
  /** Told of the beginning and of the end of what is fetched. @type {{begin: () => void, end: (bytes: number) => void}} */
  meter;

  /**
   * @param {HTMLVideoElement} video
   * @param {SourceBuffer} buffer
   * @param {{mime: string, uri: string, place: Place, meter: {begin: () => void, end: (bytes: number) => void}}} rendition
   */
  constructor(video, buffer, { mime, uri, place, meter }) {
    this.#video = video;
    this.#buffer = buffer;
    this.#place = place;
    this.#mime = mime;
    this.meter = meter;
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

  /** Goes on with another rendition where that has a place to begin. Resolves when it does. @param {string} uri @param {string} mime */
  async follow(uri, mime) {
    this.#next?.follower.stop();
    const follower = new HlsFollower(uri);
    await new Promise((done, fail) => {
      const next = (this.#next = { follower, mime, since: performance.now(), then: () => done(undefined) });
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
        const piece = this.#choose();
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

  /** Turns to the rendition that is to follow, if it can begin ahead of what is seen and no later than what is there ends. */
  #turn() {
    const next = this.#next;
    const pieces = next?.follower.playlist?.pieces;
    const end = this.#bufferedEnd();
    if (!next || !pieces || this.#from !== null) return;
    const soon = this.#video.currentTime + SHOWN_S;
    const fit = pieces.filter((piece) => piece.starts && this.#at(piece) > soon && this.#at(piece) <= (end ?? soon) + 0.1).pop();
    if (!fit && end !== null && performance.now() - next.since < SWITCH_MS) return;
    const start = fit ?? pieces.filter((piece) => piece.starts && this.#at(piece) <= (end ?? soon)).pop();
    this.#follower.stop();
    this.#follower = next.follower;
    this.#follower.onlost = (error) => this.onlost(error);
    this.#next = null;
    this.#from = start ? this.#at(start) : null;
    if (next.mime !== this.#mime) this.#buffer.changeType?.((this.#mime = next.mime));
    next.then();
  }

  /** @returns {Piece|undefined} */
  #choose() {
    const { pieces = [], hold = 0 } = this.playlist ?? {};
    if (this.#place.zero === null) {
      const last = pieces[pieces.length - 1];
      const start = last ? last.date + (last.duration - hold) * 1000 : 0;
      return pieces.filter(({ starts, date }) => starts && date <= start).pop() ?? pieces.find(({ starts }) => starts);
    }
    const end = this.#bufferedEnd();
    const now = this.#video.currentTime;
    if (end === null) {
      // After a jump to what is not there: from the last start before it.
      this.#from = null;
      return pieces.filter((piece) => piece.starts && this.#at(piece) <= now + 0.05).pop() ?? pieces.find(({ starts }) => starts);
    }
    if (end - now > AHEAD_S) return undefined;
    if (this.#from !== null && this.#from > end - 0.05) this.#from = null;
    return pieces.find((piece) => this.#at(piece) + piece.duration / 2 > (this.#from ?? end));
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
      await this.#append(await this.#fetch(piece.map));
      this.#map = piece.map;
    }
    await this.#append(await this.#fetch(piece.uri));
    this.#failures = 0;
    if (this.#from !== null) this.#from = this.#at(piece) + piece.duration;
    const { buffered } = this.#buffer;
    if (this.#place.zero === null && buffered.length) this.#place.zero = piece.date - buffered.start(0) * 1000;
    this.onpiece();
  }

  /** @param {string} uri */
  async #fetch(uri) {
    let data;
    this.meter.begin();
    try {
      data = await (await get(uri, this.#leave.signal)).arrayBuffer();
    } finally {
      this.meter.end(data?.byteLength ?? 0);
    }
    return data;
  }

  async #trim() {
    const { buffered } = this.#buffer;
    const now = this.#video.currentTime;
    if (buffered.length && now - buffered.start(0) > KEPT_S * 1.5) await this.#edit((buffer) => buffer.remove(0, now - KEPT_S));
  }

  /** @param {ArrayBuffer} data */
  #append(data) {
    return this.#edit((buffer) => buffer.appendBuffer(data));
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
