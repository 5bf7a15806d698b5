/**
 * Reads the clock that Headwater's test pictures carry in their top strip, and so the true delay from glass to glass.
 *
 * The strip is the top 1/18 of the picture: equal blocks, white is 1 and black is 0, first the check blocks 1 0,
 * then 16 blocks of Gray code, most significant first, of the capture time in ms since 1970 modulo 65536, then the
 * check blocks 0 1. In Gray code one block changes per millisecond, so a picture caught between two still reads right.
 *
 * An ordinary picture must give nothing rather than nonsense: every block must be clearly black or white and even,
 * the check blocks must stand, and the times of successive pictures must advance as the pictures do.
 */

/** Share of the picture's height that the strip takes. */
const STRIP_SHARE = 1 / 18;
const DATA_BLOCKS = 16;
const HEAD = [1, 0];
const TAIL = [0, 1];
const BLOCKS = HEAD.length + DATA_BLOCKS + TAIL.length;
const MODULUS = 2 ** DATA_BLOCKS;

/** Pixels per block, across and down, that the strip is scaled to before it is read. */
const CELL = 4;
/** Luma from which a block is white, and up to which it is black; in between the strip is not one. */
const WHITE_MIN = 150;
const BLACK_MAX = 100;
/** The most that luma may differ inside one block. */
const UNEVEN_MAX = 70;

/** The clock must have run this long, in step with the pictures, before it is believed. */
const AGREE_MS = 1000;
/** How far stamps may part from the time between their pictures; a delay may change by so much in that time. */
const DRIFT_MS_MAX = 400;
/** Pictures in a row without a strip after which it is believed no more. */
const MISSING_MAX = 5;
/** Delays outside this are clocks that disagree, not delays. */
const LATENCY_MS_MIN = -50;
const LATENCY_MS_MAX = 20_000;
/** Values kept for the percentiles. */
const SAMPLES_MAX = 300;
/** Pictures without a strip after which only every `LAZY_STEP`th is looked at. */
const PATIENCE = 90;
const LAZY_STEP = 30;

/**
 * The capture time in a strip of luma values, in ms modulo 65536, or null if this is no strip.
 * @param {ArrayLike<number>} luma  one row after the other
 * @param {number} width            values in a row, a multiple of the number of blocks
 * @param {number} height
 * @returns {number|null}
 */
export function decodeStrip(luma, width, height) {
  /** @type {number[]} */
  const bits = [];
  for (let block = 0; block < BLOCKS; block++) {
    const bit = readBlock(luma, width, height, block);
    if (bit === null) return null;
    bits.push(bit);
  }
  const stands = (/** @type {number[]} */ check, /** @type {number} */ at) => check.every((bit, index) => bits[at + index] === bit);
  if (!stands(HEAD, 0) || !stands(TAIL, HEAD.length + DATA_BLOCKS)) return null;
  return fromGray(bits.slice(HEAD.length, HEAD.length + DATA_BLOCKS));
}

/**
 * The inner part of a block, where a coder's smear from its neighbours does not reach.
 * @param {ArrayLike<number>} luma
 * @param {number} width
 * @param {number} height
 * @param {number} block
 */
function readBlock(luma, width, height, block) {
  const cell = width / BLOCKS;
  let [sum, count, low, high] = [0, 0, 255, 0];
  for (let y = Math.floor(height / 4); y < Math.ceil((height * 3) / 4); y++) {
    for (let x = Math.floor(cell * (block + 0.25)); x < Math.ceil(cell * (block + 0.75)); x++) {
      const value = luma[y * width + x];
      sum += value;
      count += 1;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  const mean = sum / count;
  if (high - low > UNEVEN_MAX) return null;
  return mean >= WHITE_MIN ? 1 : mean <= BLACK_MAX ? 0 : null;
}

/**
 * @param {number[]} bits  most significant first
 */
function fromGray(bits) {
  let [bit, value] = [0, 0];
  for (const next of bits) {
    bit ^= next;
    value = value * 2 + bit;
  }
  return value;
}

/** Watches the pictures of a video element, or of a canvas that shows one, for the strip. */
export class ClockReader {
  #video;
  #canvas = document.createElement('canvas');
  #context;
  #running = false;
  #skipped = 0;
  #blank = 0;
  /** Reads in step with one another, the oldest first. @type {{stamp: number, shown: number}[]} */
  #marks = [];
  /** @type {number[]} */
  #samples = [];
  /** Strips read, and pictures in between that had none. */
  good = 0;
  bad = 0;

  /** @param {HTMLVideoElement|HTMLCanvasElement} video */
  constructor(video) {
    this.#video = video;
    this.#canvas.width = BLOCKS * CELL;
    this.#canvas.height = CELL;
    this.#context = this.#canvas.getContext('2d', { willReadFrequently: true });
  }

  /** Begins to look; where the browser cannot tell when pictures are shown, it never sees any. */
  start() {
    this.reset();
    const video = this.#video;
    if (this.#running || !this.#context) return;
    if (!('requestVideoFrameCallback' in video)) return this.#startCanvas(video);
    this.#running = true;
    const step = (/** @type {number} */ _, /** @type {VideoFrameCallbackMetadata} */ frame) => {
      if (!this.#running) return;
      this.#look(frame);
      video.requestVideoFrameCallback(step);
    };
    video.requestVideoFrameCallback(step);
  }

  /** A canvas does not say when it is painted: it is looked at each time that the screen is. @param {any} canvas */
  #startCanvas(canvas) {
    if (!('getContext' in canvas)) return;
    this.#running = true;
    const step = () => {
      if (!this.#running) return;
      const { width, height } = canvas;
      this.#look({ width, height, expectedDisplayTime: performance.now() }, true);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  stop() {
    this.#running = false;
    this.reset();
  }

  /** Forgets what was read, as at a new session. */
  reset() {
    this.#samples = [];
    this.#marks = [];
    this.#blank = this.#skipped = this.good = this.bad = 0;
  }

  /** Whether the picture carries a clock that can be trusted. */
  get trusted() {
    const [first, last] = [this.#marks[0], this.#marks[this.#marks.length - 1]];
    return first !== undefined && last.shown - first.shown >= AGREE_MS;
  }

  /**
   * Delay from glass to glass over the last pictures; null without a trusted clock.
   * @returns {{ms: number, p50: number, p95: number, samples: number, good: number, bad: number}|null}
   */
  get latency() {
    if (!this.trusted || this.#samples.length === 0) return null;
    const recent = sorted(this.#samples.slice(-30));
    const all = sorted(this.#samples);
    return {
      ms: percentile(recent, 0.5),
      p50: percentile(all, 0.5),
      p95: percentile(all, 0.95),
      samples: all.length,
      good: this.good,
      bad: this.bad,
    };
  }

  /**
   * @param {{width: number, height: number, expectedDisplayTime: number}} frame
   * @param {boolean} [mayBeOld]  it may be a picture that was looked at before
   */
  #look(frame, mayBeOld = false) {
    if (this.#blank > PATIENCE && this.#skipped++ % LAZY_STEP !== 0) return;
    const stamp = this.#read(frame.width, frame.height);
    if (stamp === null) {
      this.bad += 1;
      this.#blank += 1;
      if (this.#blank > MISSING_MAX) this.#marks = [];
      return;
    }
    if (mayBeOld && stamp === this.#marks[this.#marks.length - 1]?.stamp) return;
    this.good += 1;
    this.#blank = 0;
    // A late callback may find a newer picture than it was called for: then it is shown now, not when the old one was.
    const shown = Date.now() + Math.max(0, frame.expectedDisplayTime - performance.now());
    this.#accept(stamp, shown);
  }

  /**
   * @param {number} stamp
   * @param {number} shown
   */
  #accept(stamp, shown) {
    const latency = near(shown - stamp);
    const inStep = (/** @type {{stamp: number, shown: number}|undefined} */ mark) =>
      !mark || Math.abs(near(stamp - mark.stamp) - (shown - mark.shown)) <= DRIFT_MS_MAX;
    const sane = latency >= LATENCY_MS_MIN && latency <= LATENCY_MS_MAX;
    if (!sane || !inStep(this.#marks[0]) || !inStep(this.#marks[this.#marks.length - 1])) {
      this.#marks = [];
      this.#samples = [];
    }
    if (!sane) return;
    this.#marks.push({ stamp, shown });
    while (this.#marks.length > 2 && shown - this.#marks[1].shown >= AGREE_MS) this.#marks.shift();
    this.#samples.push(latency);
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  #read(width, height) {
    const context = this.#context;
    if (!context || !width || !height) return null;
    const { width: across, height: down } = this.#canvas;
    try {
      context.drawImage(this.#video, 0, 0, width, height * STRIP_SHARE, 0, 0, across, down);
      const { data } = context.getImageData(0, 0, across, down);
      const luma = new Float32Array(across * down);
      for (let index = 0; index < luma.length; index++) {
        const at = index * 4;
        luma[index] = 0.2126 * data[at] + 0.7152 * data[at + 1] + 0.0722 * data[at + 2];
      }
      return decodeStrip(luma, across, down);
    } catch {
      return null; // a picture that may not be read
    }
  }
}

/**
 * The representative of a difference of stamps that is nearest to zero.
 * @param {number} difference
 */
function near(difference) {
  const rest = ((difference % MODULUS) + MODULUS) % MODULUS;
  return rest > MODULUS / 2 ? rest - MODULUS : rest;
}

/** @param {number[]} values */
const sorted = (values) => [...values].sort((a, b) => a - b);

/**
 * @param {number[]} ordered
 * @param {number} share
 */
const percentile = (ordered, share) => ordered[Math.min(ordered.length - 1, Math.floor(ordered.length * share))];
