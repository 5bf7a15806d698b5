/**
 * The element that media shows in: the page's own, or one made for it.
 */
import { HeadwaterError } from './errors.js';

export class Display {
  /** @type {HTMLVideoElement|null} */
  element = null;
  #made = false;

  /** @param {HTMLElement|string|undefined} place @param {MediaStream} media */
  show(place, media) {
    const found = /** @type {any} */ (typeof place === 'string' ? document.querySelector(place) : place);
    if (place && !found) throw new HeadwaterError('invalid', `there is no element ${place} in the page`);
    if (!found) return;
    this.#made = !('srcObject' in found);
    this.element = this.#made ? document.createElement('video') : found;
    if (this.#made) found.append(this.element);
    Object.assign(this.element ?? {}, { playsInline: true, srcObject: media });
  }

  /** Plays with sound if the browser lets us, else without; tells whether it had to be muted. */
  async play() {
    const { element } = this;
    if (!element?.srcObject) return false;
    try {
      await element.play();
    } catch (error) {
      if (/** @type {Error} */ (error).name !== 'NotAllowedError' || element.muted) return false;
      element.muted = true;
      await element.play().catch(() => {});
      return true;
    }
    return false;
  }

  clear() {
    if (this.element) this.element.srcObject = null;
    if (this.#made) this.element?.remove();
    this.element = null;
  }
}
