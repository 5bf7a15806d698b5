/**
 * Decodes sound and hands it to the ring in the audio thread.
 */

const FAILURES_MAX = 4;

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
    decoder.configure(/** @type {AudioDecoderConfig} */ (this.#config));
  }

  /** @param {number} timestamp µs @param {Uint8Array} data */
  push(timestamp, data) {
    this.figures.received += 1;
    this.figures.bytes += data.byteLength;
    if (this.#decoder?.state !== 'configured' || !this.#ring) return;
    try {
      this.#decoder.decode(new EncodedAudioChunk({ type: 'key', timestamp, data }));
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
    const piece = { media: data.timestamp / 1e6, rate: data.sampleRate, channels };
    data.close();
    this.#ring?.postMessage(piece, channels.map(({ buffer }) => buffer));
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
