/**
 * Decodes pictures and shows each when its time has come.
 */

/** Decoded pictures that are held at most: decoders have few to give, and stop when all are out. */
const HELD_MAX = 8;
/** Coded pictures that wait to be decoded; a device that falls behind further goes on at the next group. */
const WAITING_MAX = 400;
/** Failures of the decoder without a picture in between, after which it is given up. */
const FAILURES_MAX = 4;
/** A picture is shown so much before its time, in ms: half of what a screen takes to the next. */
const EARLY_MS = 8;

export class Picture {
  #canvas;
  #brush;
  #clock;
  #on;
  /** @type {VideoDecoder|null} */
  #decoder = null;
  /** @type {VideoDecoderConfig|null} */
  #config = null;
  /** @type {EncodedVideoChunk[]} */
  #waiting = [];
  /** In the order of their time. @type {VideoFrame[]} */
  #held = [];
  #inside = 0;
  #needsKey = true;
  #failures = 0;
  figures = { received: 0, decoded: 0, shown: 0, dropped: 0, keys: 0, bytes: 0, width: 0, height: 0, freezes: 0, frozenMs: 0 };
  #shownAt = 0;

  /**
   * @param {OffscreenCanvas} canvas
   * @param {() => number|null} clock  the time of the media in ms
   * @param {{size: (width: number, height: number) => void, first: () => void, failed: (words: string) => void}} on
   */
  constructor(canvas, clock, on) {
    this.#canvas = canvas;
    this.#brush = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d', { alpha: false, desynchronized: true }));
    this.#clock = clock;
    this.#on = on;
  }

  /** What is decoded from here on. @param {VideoDecoderConfig} config */
  begin(config) {
    this.#config = { ...config, optimizeForLatency: true };
    this.#flushWaiting();
    this.#open();
  }

  #open() {
    if (this.#decoder?.state === 'configured') return this.#decoder.configure(/** @type {VideoDecoderConfig} */ (this.#config));
    this.#inside = 0;
    const decoder = new VideoDecoder({
      output: (frame) => (decoder === this.#decoder ? this.#take(frame) : frame.close()),
      error: (error) => decoder === this.#decoder && this.#failed(error),
    });
    this.#decoder = decoder;
    decoder.configure(/** @type {VideoDecoderConfig} */ (this.#config));
  }

  /** All that waits goes to the decoder that it was meant for. */
  #flushWaiting() {
    for (const chunk of this.#waiting.splice(0)) this.#decode(chunk);
    this.#needsKey = true;
  }

  /** @param {boolean} isKey @param {number} timestamp µs @param {Uint8Array} data */
  push(isKey, timestamp, data) {
    this.figures.received += 1;
    this.figures.bytes += data.byteLength;
    if (!this.#config) return;
    if (isKey) {
      this.figures.keys += 1;
      this.#needsKey = false;
      // What waits behind an older start is not worth decoding any more.
      if (this.#waiting.length > WAITING_MAX / 4) this.figures.dropped += this.#waiting.splice(0).length;
    }
    if (this.#needsKey || this.#waiting.length >= WAITING_MAX) {
      this.#needsKey = true;
      this.figures.dropped += 1;
      return;
    }
    this.#waiting.push(new EncodedVideoChunk({ type: isKey ? 'key' : 'delta', timestamp, data }));
    this.#pump();
  }

  #pump() {
    while (this.#waiting.length > 0 && this.#held.length + this.#inside < HELD_MAX) {
      this.#decode(/** @type {EncodedVideoChunk} */ (this.#waiting.shift()));
    }
  }

  /** @param {EncodedVideoChunk} chunk */
  #decode(chunk) {
    if (this.#decoder?.state !== 'configured') return;
    this.#inside += 1;
    try {
      this.#decoder.decode(chunk);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** @param {VideoFrame} frame */
  #take(frame) {
    this.#inside = Math.max(0, this.#inside - 1);
    this.#failures = 0;
    this.figures.decoded += 1;
    // Decoders that are asked for low latency may give B-frames as they are coded.
    const later = this.#held.findIndex(({ timestamp }) => timestamp > frame.timestamp);
    this.#held.splice(later < 0 ? this.#held.length : later, 0, frame);
    this.#release();
    this.#pump();
  }

  /** @param {any} error */
  #failed(error) {
    this.#failures += 1;
    this.#waiting = [];
    this.#needsKey = true;
    if (this.#failures > FAILURES_MAX) return this.#on.failed(String(error?.message ?? error));
    if (this.#decoder?.state === 'closed') this.#open();
  }

  /** Lets go of what is past, but for the last of it; while the page is hidden nobody shows pictures. */
  #release() {
    const now = this.#clock();
    if (now === null) return;
    while (this.#held.length > 1 && this.#held[1].timestamp / 1000 <= now + EARLY_MS) {
      /** @type {VideoFrame} */ (this.#held.shift()).close();
      this.figures.dropped += 1;
    }
  }

  /** Shows what is due, if the page is seen; and makes room. @param {boolean} isSeen */
  show(isSeen) {
    this.#release();
    const [frame] = this.#held;
    const now = this.#clock();
    if (frame && now !== null && frame.timestamp / 1000 <= now + EARLY_MS) {
      this.#held.shift();
      if (isSeen) this.#draw(frame);
      else this.figures.dropped += 1;
      frame.close();
    }
    this.#pump();
  }

  /** @param {VideoFrame} frame */
  #draw(frame) {
    const { displayWidth: width, displayHeight: height } = frame;
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.#brush.drawImage(frame, 0, 0, width, height);
    const { figures } = this;
    if (figures.width !== width || figures.height !== height) {
      figures.width = width;
      figures.height = height;
      this.#on.size(width, height);
    }
    const at = performance.now();
    if (this.#shownAt && at - this.#shownAt > 400) {
      figures.freezes += 1;
      figures.frozenMs += at - this.#shownAt;
    }
    this.#shownAt = at;
    if (figures.shown++ === 0) this.#on.first();
  }

  /** A hidden page shows nothing, which is no freeze. */
  rest() {
    this.#shownAt = 0;
  }

  close() {
    for (const frame of this.#held.splice(0)) frame.close();
    if (this.#decoder && this.#decoder.state !== 'closed') this.#decoder.close();
    this.#decoder = null;
  }
}
