/**
 * The ring of sound in the audio thread. Its port is given a port of the worker, which sends pieces and is told the time.
 */
import { Ring } from './ring.js';

/** Blocks from one telling of the time to the next: about 40 ms. */
const TELL_EVERY = 15;

class RingProcessor extends AudioWorkletProcessor {
  #ring = new Ring(sampleRate);
  /** @type {MessagePort|null} */
  #worker = null;
  #blocks = 0;
  #over = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data.over) this.#over = true;
      if (!data.port) return;
      this.#worker = data.port;
      data.port.onmessage = (/** @type {MessageEvent} */ event) => this.#hear(event.data);
    };
  }

  /** @param {any} word */
  #hear(word) {
    if (word.channels) this.#ring.push(word);
    if (word.raise) this.#ring.raise(word.raise);
  }

  /** @param {Float32Array[][]} _ @param {Float32Array[][]} outputs */
  process(_, [output]) {
    const { media } = this.#ring;
    if (this.#blocks++ % TELL_EVERY === 0) {
      const { level, target, gaps } = this.#ring;
      this.#worker?.postMessage({ media, context: currentTime, level, target, gaps });
    }
    this.#ring.render(output);
    return !this.#over;
  }
}

registerProcessor('headwater-ring', RingProcessor);
