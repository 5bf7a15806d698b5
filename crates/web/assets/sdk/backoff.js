/**
 * When to try again: soon at first, later and later, never all clients at once.
 */
export class Backoff {
  #failures = 0;

  /** @param {{delayMinMs?: number, delayMaxMs?: number, attemptsMax?: number}} [options] */
  constructor({ delayMinMs = 300, delayMaxMs = 10_000, attemptsMax = Infinity } = {}) {
    this.delayMinMs = delayMinMs;
    this.delayMaxMs = delayMaxMs;
    this.attemptsMax = attemptsMax;
  }

  /**
   * How long to wait after one more failure, in ms; null if it is time to give up.
   * @param {number} [leastMs]  what the server asks for
   * @returns {number|null}
   */
  next(leastMs = 0) {
    if (this.#failures >= this.attemptsMax) return null;
    const delay = Math.min(this.delayMaxMs, this.delayMinMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    // Half of the delay is left to chance, so that thousands that were cut off together come back one by one.
    return Math.max(leastMs, delay * (0.5 + Math.random() / 2));
  }

  reset() {
    this.#failures = 0;
  }
}
