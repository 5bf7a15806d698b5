/**
 * What time of the media it is now. All times here are in milliseconds: of the page (`at`, since 1970) or of the media.
 */

/** Pictures come at least this late after they were due to arrive, so that ordinary jitter is not seen. */
const DELAY_MIN_MS = 20;
const DELAY_MAX_MS = 500;
/** Frames whose jitter is remembered. */
const WINDOW = 90;
/** How fast a clock of the source that runs slower than ours is followed: a share of the distance for each frame. */
const LEAK = 0.002;
/** A word of the sound about its time counts this long. */
const FRESH_MS = 1000;

/** Tells the time by when frames arrive: the quickest of them says how the two clocks stand to each other. */
export class ArrivalClock {
  /** Arrival minus media time of the quickest frame. @type {number|null} */
  #offset = null;
  /** How much later than the quickest the last frames came. @type {number[]} */
  #late = [];

  /** How long a frame is kept back, in ms. */
  get delayMs() {
    const sorted = [...this.#late].sort((a, b) => a - b);
    const high = sorted[Math.floor(sorted.length * 0.95)] ?? 0;
    return Math.min(DELAY_MAX_MS, Math.max(DELAY_MIN_MS, high + 5));
  }

  /** A frame has arrived. @param {number} media @param {number} at */
  note(media, at) {
    const offset = at - media;
    if (this.#offset === null || offset < this.#offset) {
      // What was late by the old measure says nothing: frames of before one joined come all at once.
      if (this.#offset === null || this.#offset - offset > 30) this.#late = [];
      this.#offset = offset;
    } else {
      this.#offset += (offset - this.#offset) * LEAK;
    }
    this.#late.push(offset - this.#offset);
    if (this.#late.length > WINDOW) this.#late.shift();
  }

  /** @param {number} at @returns {number|null} */
  now(at) {
    return this.#offset === null ? null : at - this.#offset - this.delayMs;
  }

  reset() {
    this.#offset = null;
    this.#late = [];
  }
}

/** Tells the time by what is heard. */
export class SoundClock {
  /** What the ring said last: media time of the sample that the audio context renders at its time. */
  #ring = { media: 0, context: 0, told: -Infinity };
  /** Which time of the audio context is heard when. */
  #output = { context: 0, at: 0, known: false };

  /** Nothing is heard any more: a clock that ran on would call all pictures late. */
  rest() {
    this.#ring.told = -Infinity;
  }

  /** @param {number} media @param {number} context seconds @param {number} at */
  tell(media, context, at) {
    this.#ring = { media, context: context * 1000, told: at };
  }

  /** @param {{context: number, at: number}|null} output  seconds of the audio context that are heard at that time; null while nothing is heard */
  hear(output) {
    this.#output = output ? { context: output.context * 1000, at: output.at, known: true } : { context: 0, at: 0, known: false };
  }

  /** @param {number} at @returns {number|null} nothing while there is no sound to go by */
  now(at) {
    if (!this.#output.known || at - this.#ring.told > FRESH_MS) return null;
    return this.#ring.media + (at - this.#output.at) + this.#output.context - this.#ring.context;
  }
}

/**
 * How much the sound has to wait for the picture, where a source sends its pictures later than the sound that belongs
 * to them: nobody hears a word before the lips move.
 */
export class Slack {
  #least = Infinity;
  #count = 0;
  #since;

  /** @param {number} at */
  constructor(at) {
    this.#since = at;
  }

  /**
   * A picture arrived so long before it is due, in ms; less than nothing if it came too late. Yields by how much the
   * sound is to be kept back longer, or shorter, every now and then.
   * @param {number} slack
   * @param {number} at
   * @returns {number}
   */
  note(slack, at) {
    this.#least = Math.min(this.#least, slack);
    this.#count += 1;
    if (at - this.#since < 1000 || this.#count < 8) return 0;
    const least = this.#least;
    this.begin(at);
    if (least < -1000) return 0; // that is no lateness of pictures, but another time line
    if (least < 0) return Math.min(400, -least + 5);
    return least > 60 ? -Math.min(50, (least - 40) / 2) : 0;
  }

  /** @param {number} at */
  begin(at) {
    this.#least = Infinity;
    this.#count = 0;
    this.#since = at;
  }
}
