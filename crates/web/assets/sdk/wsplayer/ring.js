/**
 * Sound that waits to be heard: as little as there may be without a gap. It plays a little faster or slower to keep it so.
 */

/** What is kept at least when the next piece arrives, in seconds; more after a gap. */
const FLOOR_MIN = 0.025;
const FLOOR_MAX = 0.5;
/** What a gap adds to that, and what each quiet while takes away again. */
const FLOOR_STEP = 0.02;
const FLOOR_EASE = 0.005;
const EASE_EVERY = 10;
/** How much faster or slower it may play: less than is heard. */
const BEND_MAX = 0.03;
/** More than this beyond what is wanted is left out at once, as after one joined or the network stood still. */
const EXCESS_MAX = 0.25;
/** The window over which the least that waits is looked for, in seconds. */
const WINDOW = 1;
/** Times of pieces may part from their lengths by so much, since many sources round them, in seconds. */
const ROUNDING = 0.06;
/** A hole that is longer than this is not filled with silence. */
const HOLE_MAX = 1;

export class Ring {
  /** The oldest first. @type {{media: number, rate: number, channels: Float32Array[], length: number}[]} */
  #pieces = [];
  /** In samples of the first piece. */
  #position = 0;
  #rate;
  #floor = FLOOR_MIN;
  /** What the picture needs on top, in seconds. */
  #extra = 0;
  #bend = 1;
  #least = Infinity;
  #window = 0;
  #quiet = 0;
  #runs = false;
  /** Gaps that were heard. */
  gaps = 0;

  /** @param {number} rate  samples in a second of what is rendered */
  constructor(rate) {
    this.#rate = rate;
  }

  /** Seconds that wait. */
  get level() {
    let seconds = 0;
    for (const { length, rate } of this.#pieces) seconds += length / rate;
    const [first] = this.#pieces;
    return first ? seconds - this.#position / first.rate : 0;
  }

  /** Seconds that are to wait when they are fewest. */
  get target() {
    return this.#floor + this.#extra;
  }

  /** Media time of the next sample, in seconds; null while nothing is heard. */
  get media() {
    const [first] = this.#pieces;
    return first && this.#runs ? first.media + this.#position / first.rate : null;
  }

  /** The picture needs so much more time, or less, in seconds. @param {number} seconds */
  raise(seconds) {
    this.#extra = Math.min(1, Math.max(0, this.#extra + seconds));
  }

  /** @param {{media: number, rate: number, channels: Float32Array[]}} piece  media in seconds */
  push({ media, rate, channels }) {
    const last = this.#pieces[this.#pieces.length - 1];
    const hole = last ? media - (last.media + last.length / last.rate) : 0;
    if (hole > ROUNDING && hole < HOLE_MAX) {
      const length = Math.round(hole * rate);
      this.#pieces.push({ media: media - hole, rate, channels: channels.map(() => new Float32Array(length)), length });
    }
    this.#pieces.push({ media, rate, channels, length: channels[0].length });
    const excess = this.level - this.target;
    if (excess > EXCESS_MAX) this.#drop(excess - FLOOR_STEP);
  }

  /** Fills the channels of a block. @param {Float32Array[]} output */
  render(output) {
    const block = output[0].length / this.#rate;
    const level = this.level;
    if (!this.#runs && level >= this.target + FLOOR_STEP) this.#runs = true;
    if (this.#runs && level < block * 1.1) this.#starve();
    if (!this.#runs) return;
    this.#steer(level, block);
    for (let index = 0; index < output[0].length; index++) {
      const [first, second] = this.#pieces;
      const whole = Math.floor(this.#position);
      const part = this.#position - whole;
      for (let channel = 0; channel < output.length; channel++) {
        const samples = first.channels[Math.min(channel, first.channels.length - 1)];
        const next = whole + 1 < first.length ? samples[whole + 1] : (second?.channels[Math.min(channel, second.channels.length - 1)][0] ?? samples[whole]);
        output[channel][index] = samples[whole] + (next - samples[whole]) * part;
      }
      this.#advance((first.rate / this.#rate) * this.#bend);
      if (this.#pieces.length === 0) return;
    }
  }

  /** @param {number} samples */
  #advance(samples) {
    this.#position += samples;
    while (this.#pieces.length > 0 && this.#position >= this.#pieces[0].length) {
      const gone = /** @type {{length: number}} */ (this.#pieces.shift());
      this.#position -= gone.length;
    }
  }

  /** @param {number} seconds */
  #drop(seconds) {
    while (seconds > 0 && this.#pieces.length > 1) {
      const [first] = this.#pieces;
      const rest = (first.length - this.#position) / first.rate;
      if (rest > seconds) return this.#advance(seconds * first.rate);
      seconds -= rest;
      this.#pieces.shift();
      this.#position = 0;
    }
  }

  #starve() {
    this.#runs = false;
    this.gaps += 1;
    this.#floor = Math.min(FLOOR_MAX, this.#floor + FLOOR_STEP);
    this.#begin();
    this.#quiet = 0;
  }

  #begin() {
    this.#least = Infinity;
    this.#window = 0;
    this.#bend = 1;
  }

  /** @param {number} level @param {number} block seconds */
  #steer(level, block) {
    this.#least = Math.min(this.#least, level);
    this.#window += block;
    this.#quiet += block;
    if (this.#window < WINDOW) return;
    const excess = this.#least - this.target;
    this.#begin();
    if (Math.abs(excess) > 0.01) this.#bend = 1 + Math.min(BEND_MAX, Math.max(-BEND_MAX, excess / 2));
    if (this.#quiet < EASE_EVERY) return;
    this.#quiet = 0;
    this.#floor = Math.max(FLOOR_MIN, this.#floor - FLOOR_EASE);
  }
}
