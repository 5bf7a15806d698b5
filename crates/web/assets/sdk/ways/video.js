/**
 * What all ways have in common that show in a video element.
 *
 * A way is one session. Its events: `playing` (something is seen or heard), `lost` (`detail` is a `HeadwaterError`; it
 * is over), `blocked` (it plays without sound until the viewer taps), `resize`.
 */

/** @typedef {{base: URL, name: string, token?: string, iceServers?: RTCIceServer[], video: HTMLVideoElement, makeCanvas: () => HTMLCanvasElement, volume: number, muted: boolean}} Wish */

export class VideoWay extends EventTarget {
  /** Ends when the session does. */
  leave = new AbortController();
  /** Tracks of the stream that do not come, each with `kind` and `reason`. @type {{kind: string, reason: string}[]} */
  missing = [];

  /** @param {Wish} wish */
  constructor(wish) {
    super();
    this.wish = wish;
    const { video, volume, muted } = wish;
    this.element = video;
    video.volume = volume;
    video.muted = muted;
    const { signal } = this.leave;
    video.addEventListener('playing', () => this.dispatchEvent(new Event('playing')), { signal });
    video.addEventListener('resize', () => this.dispatchEvent(new Event('resize')), { signal });
  }

  get width() {
    return this.wish.video.videoWidth;
  }

  get height() {
    return this.wish.video.videoHeight;
  }

  get volume() {
    return this.wish.video.volume;
  }
  set volume(volume) {
    this.wish.video.volume = volume;
  }

  get muted() {
    return this.wish.video.muted;
  }
  set muted(muted) {
    this.wish.video.muted = muted;
    if (!muted) this.wish.video.play().catch(() => {});
  }

  /** Plays with sound if the browser lets us, else without, until the viewer taps. */
  async show() {
    const { video } = this.wish;
    try {
      await video.play();
    } catch (error) {
      if (/** @type {Error} */ (error).name !== 'NotAllowedError' || video.muted) return;
      video.muted = true;
      this.dispatchEvent(new Event('blocked'));
      await video.play().catch(() => {});
    }
  }

  /** @param {import('../errors.js').HeadwaterError} error */
  lose(error) {
    if (this.leave.signal.aborted) return;
    this.stop();
    this.dispatchEvent(new CustomEvent('lost', { detail: error }));
  }

  /** The part that can be seen again, in seconds of the element's time; null where there is only the present. */
  get seekable() {
    return null;
  }

  async renditions() {
    return [];
  }

  async stop() {
    this.leave.abort();
  }
}
