/**
 * Decodes sound and hands it to the ring in the audio thread.
 */

const FAILURES_MAX = 4;
/** The stamps of the source may part from the samples by so much before they are taken at their word, in µs. */
const JITTER_US = 60_000;
/** The share by which a smaller difference is followed with each piece. */
const FOLLOW = 1 / 16;

export class Sound {
  #clock;
  #on;
  /** @type {AudioDecoder|null} */
  #decoder = null;
  /** @type {AudioDecoderConfig|null} */
  #config = null;
  /** @type {MessagePort|null} */
  #ring = null;
  #failures = 0;
  /** Stamps of what is being decoded, in µs. @type {number[]} */
  #given = [];
  /** What is added to the stamps of the decoder, in µs; nothing is known before the first. @type {number|null} */
  #correction = null;
  figures = { received: 0, bytes: 0, gaps: 0, levelMs: 0, targetMs: 0 };

  /**
   * @param {import('./clock.js').SoundClock} clock
   * @param {{failed: (words: string) => void}} on
   */
  constructor(clock, on) {
    this.#clock = clock;
    this.#on = on;
  }

  /** Where decoded sound goes; it is thrown away as long as nobody hears it. @param {MessagePort|null} ring */
  connect(ring) {
    this.#ring?.close();
    this.#ring = ring;
    if (!ring) return this.#clock.hear(null);
    ring.onmessage = ({ data }) => {
      const { media, context, level, target, gaps } = data;
      Object.assign(this.figures, { gaps, levelMs: level * 1000, targetMs: target * 1000 });
      if (media === null) this.#clock.rest();
      else this.#clock.tell(media * 1000, context, performance.timeOrigin + performance.now());
    };
  }

  /** @param {AudioDecoderConfig} config */
  begin(config) {
    this.#config = config;
    this.#open();
  }

  #open() {
    if (this.#decoder?.state === 'configured') return this.#decoder.configure(/** @type {AudioDecoderConfig} */ (this.#config));
    const decoder = new AudioDecoder({
      output: (data) => this.#take(data),
      error: (error) => decoder === this.#decoder && this.#failed(error),
    });
    this.#decoder = decoder;
    this.#given = [];
    decoder.configure(/** @type {AudioDecoderConfig} */ (this.#config));
  }

  /** @param {number} timestamp µs @param {Uint8Array} data */
  push(timestamp, data) {
    this.figures.received += 1;
    this.figures.bytes += data.byteLength;
    if (this.#decoder?.state !== 'configured' || !this.#ring) return;
    try {
      this.#decoder.decode(new EncodedAudioChunk({ type: 'key', timestamp, data }));
      this.#given.push(timestamp);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** @param {AudioData} data */
  #take(data) {
    this.#failures = 0;
    const channels = [];
    for (let planeIndex = 0; planeIndex < data.numberOfChannels; planeIndex++) {
      const samples = new Float32Array(data.numberOfFrames);
      data.copyTo(samples, { planeIndex, format: 'f32-planar' });
      channels.push(samples);
    }
    const piece = { media: this.#time(data.timestamp) / 1e6, rate: data.sampleRate, channels };
    data.close();
    this.#ring?.postMessage(piece, channels.map(({ buffer }) => buffer));
  }

  /**
   * When a piece is to be heard, in µs. Browsers stamp what they decode by counting samples from the first piece on: after
   * a gap in the source all sound would be that much too early.
   * @param {number} counted
   */
  #time(counted) {
    const difference = (this.#given.shift() ?? counted) - counted;
    const step = difference - (this.#correction ?? difference);
    this.#correction = Math.abs(step) > JITTER_US || this.#correction === null ? difference : this.#correction + step * FOLLOW;
    return counted + this.#correction;
  }

  /** The picture needs so much more time than it has, in ms. @param {number} ms */
  raise(ms) {
    this.#ring?.postMessage({ raise: ms / 1000 });
  }

  /** @param {any} error */
  #failed(error) {
    this.#failures += 1;
    if (this.#failures > FAILURES_MAX) return this.#on.failed(String(error?.message ?? error));
    if (this.#decoder?.state === 'closed') this.#open();
  }

  close() {
    this.#ring?.close();
    this.#ring = null;
    if (this.#decoder && this.#decoder.state !== 'closed') this.#decoder.close();
    this.#decoder = null;
  }
}
