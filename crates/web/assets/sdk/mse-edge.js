/**
 * Keeps a video element close to the live edge of what it is fed.
 *
 * What is ahead of the element is its only store: too little, and it runs dry; too much, and it is late. The least that
 * was ahead of late says how much of it is never used.
 *
 * @import { Feeder } from './mse-feeder.js'
 */

const LOOK_MS = 50;
/** What is to be ahead, at the least and at the most, in seconds. Browsers run dry while there is still a tenth of one. */
const TARGET_MIN_S = 0.15;
const TARGET_MAX_S = 1;
/**
 * Each time that the element runs dry, so much more than it had is wanted; each second that it does not, so much less, at
 * first: each time that it did, it takes twice as long to dare that again.
 */
const DRY_S = 0.04;
const CALM_S = 0.0005;
/** More than this above the target is left behind by a jump. */
const JUMP_S = 1;
/** A jump that has not arrived after so long, in ms, never will: what it led to has a hole behind it. */
const ARRIVE_MS = 1000;
/** Runs of looks whose least counts, in ms. */
const SPAN_MS = 600;

export class LiveEdge {
  #video;
  #feeder;
  #timer;
  #target = TARGET_MIN_S;
  #calm = CALM_S;
  #leave = new AbortController();
  #has = false;
  /** How much was ahead of late. @type {{at: number, ahead: number}[]} */
  #seen = [];
  #changed = 0;
  #jumped = 0;
  /** How often it ran dry, and how often it jumped. */
  dry = 0;
  jumps = 0;

  /**
   * @param {HTMLVideoElement} video
   * @param {Feeder} feeder
   */
  constructor(video, feeder) {
    this.#video = video;
    this.#feeder = feeder;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    const { signal } = this.#leave;
    video.addEventListener('waiting', () => this.#ranDry(), { signal });
    document.addEventListener('visibilitychange', () => !document.hidden && this.#look(), { signal });
  }

  /** What is ahead of the element, in ms; null if nothing is known. */
  get aheadMs() {
    const { range } = this.#feeder;
    return range ? Math.max(0, range.end - this.#video.currentTime) * 1000 : null;
  }

  get figures() {
    return { aheadMs: this.aheadMs, targetMs: this.#target * 1000, rate: this.#video.playbackRate, dry: this.dry, jumps: this.jumps };
  }

  #ranDry() {
    if (!this.#has || this.#video.seeking) return;
    this.dry += 1;
    this.#calm /= 2;
    // Some streams leave the decoder dry while there is much ahead: what was not enough then will not be again.
    const had = Math.min(...this.#seen.map((look) => look.ahead), TARGET_MAX_S);
    const least = this.#seen.length > 0 ? had : 0;
    this.#target = Math.min(TARGET_MAX_S, Math.max(this.#target, least) + DRY_S);
    this.#seen = [];
  }

  #look() {
    const video = this.#video;
    const { range } = this.#feeder;
    if (!range || video.paused) return;
    if (video.seeking) {
      // Never to the same place again: there is none until more has come.
      const isLost = performance.now() - this.#jumped > ARRIVE_MS && range.end - video.currentTime > this.#target;
      return isLost ? this.#jump(range) : undefined;
    }
    const ahead = range.end - video.currentTime;
    const isOutside = video.currentTime < range.start || ahead < -0.5;
    if (!this.#has || isOutside || ahead > this.#target + JUMP_S) return this.#jump(range);
    const now = performance.now();
    this.#seen = [...this.#seen.filter(({ at }) => now - at < SPAN_MS), { at: now, ahead }];
    this.#target = Math.max(TARGET_MIN_S, this.#target - (this.#calm * LOOK_MS) / 1000);
    this.#pace(Math.min(...this.#seen.map((look) => look.ahead)) - this.#target, now);
  }

  /** To the newest picture that is there. @param {{start: number, end: number}} range */
  #jump(range) {
    if (!this.#feeder.isEmpty && !this.#has) return;
    if (this.#has) this.jumps += 1;
    this.#has = true;
    this.#seen = [];
    this.#jumped = performance.now();
    this.#video.currentTime = Math.max(range.start, range.end - this.#target);
  }

  /** A little faster or slower. @param {number} tooMuch seconds @param {number} now */
  #pace(tooMuch, now) {
    const rate = tooMuch > 0.25 ? 1.15 : tooMuch > 0.1 ? 1.1 : tooMuch > 0.05 ? 1.05 : tooMuch > 0.015 ? 1.02 : tooMuch < -0.04 ? 0.97 : 1;
    if (rate === this.#video.playbackRate || now - this.#changed < 200) return;
    this.#changed = now;
    this.#video.playbackRate = rate;
  }

  stop() {
    clearInterval(this.#timer);
    this.#leave.abort();
  }
}
