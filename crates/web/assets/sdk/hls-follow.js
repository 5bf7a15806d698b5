/**
 * Follows one media playlist of a live stream: reads it again whenever the server has something new.
 *
 * @import { MediaPlaylist } from './hls-playlist.js'
 */
import { HeadwaterError } from './errors.js';
import { parse, reload } from './hls-playlist.js';

/** Troubles in a row after which it is given up. */
export const FAILURES_MAX = 4;

/** @param {number} ms */
export const rest = (ms) => new Promise((done) => setTimeout(done, ms));

/** @param {URL|string} address @param {AbortSignal} signal */
export async function get(address, signal) {
  const response = await fetch(address, { signal }).catch((cause) => {
    throw new HeadwaterError('network', undefined, { cause });
  });
  if (!response.ok) throw new HeadwaterError(response.status >= 500 ? 'server' : 'network', `the server answered ${response.status}`, { status: response.status });
  return response;
}

/** All that an answer holds. @param {Response} response @param {(bytes: number) => void} oncome  told of each bit of it as it comes */
export async function read({ body }, oncome) {
  const bits = [];
  let length = 0;
  const reader = /** @type {ReadableStream<Uint8Array>} */ (body).getReader();
  for (;;) {
    const { done, value } = await reader.read().catch((cause) => {
      throw new HeadwaterError('network', undefined, { cause });
    });
    if (done || !value) break;
    bits.push(value);
    length += value.byteLength;
    oncome(value.byteLength);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const bit of bits) {
    whole.set(bit, at);
    at += bit.byteLength;
  }
  return whole;
}

export class HlsFollower {
  #uri;
  #leave = new AbortController();
  /** @type {MediaPlaylist|null} */
  playlist = null;
  /** Told when there will be no more to read. @type {(error: unknown) => void} */
  onlost = () => {};

  /** @param {string} uri */
  constructor(uri) {
    this.#uri = uri;
  }

  /** Resolves when the playlist has been read once. */
  async start() {
    await this.#refresh();
    this.#follow();
  }

  stop() {
    this.#leave.abort();
  }

  async #refresh() {
    const response = await get(reload(this.#uri, this.playlist), this.#leave.signal);
    this.playlist = parse(await response.text(), response.url || this.#uri);
  }

  async #follow() {
    let failures = 0;
    while (!this.#leave.signal.aborted && !this.playlist?.isOver) {
      if (!this.playlist?.blocks) await rest((this.playlist?.target ?? 1) * 500);
      try {
        await this.#refresh();
        failures = 0;
      } catch (error) {
        if (this.#leave.signal.aborted) return;
        failures += 1;
        const { status = 0 } = /** @type {HeadwaterError} */ (error);
        if (status === 404 || status === 410) return this.onlost(new HeadwaterError('not-live', 'the stream has ended'));
        if (failures > FAILURES_MAX || status === 401 || status === 403) return this.onlost(error);
        await rest(300 * failures);
      }
    }
  }
}
