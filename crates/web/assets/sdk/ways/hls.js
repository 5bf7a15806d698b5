/**
 * Plays by HLS: the most delay, and the one way that can be wound back. Apple's browsers play it themselves, with all
 * that belongs to it on their devices; in others a small reader does it, which also knows parts.
 */
import { HeadwaterError } from '../errors.js';
import { HlsReader, kindOfSource } from '../hls.js';
import { VideoWay } from './video.js';

const TYPE = 'application/vnd.apple.mpegurl';
/** Behind the live edge by no more than this is live, in seconds. */
const LIVE_S = 4;

export class HlsWay extends VideoWay {
  #begun = { bytes: 0, frames: 0, at: 0 };
  /** What reads it where the browser does not. @type {HlsReader|null} */
  #reader = null;

  get kinds() {
    const { video } = this.wish;
    return video.videoWidth ? ['video', 'audio'] : ['audio'];
  }

  async start() {
    const { video, base, name, token } = this.wish;
    const canItself = video.canPlayType(TYPE) !== '' && (navigator.vendor.startsWith('Apple') || !kindOfSource());
    const path = name.split('/').map(encodeURIComponent).join('/');
    const address = new URL(`${path}/index.m3u8`, base);
    if (token) address.searchParams.set('token', token);
    // The reader knows no transport streams, which the server may be set to.
    if (!canItself) address.searchParams.set('container', 'fmp4');
    const text = await this.#ask(address);
    if (this.leave.signal.aborted) throw new HeadwaterError('stopped');
    const failed = () => this.lose(new HeadwaterError(video.error?.code === 2 ? 'network' : 'codec', video.error?.message || 'the browser cannot play its segments'));
    video.addEventListener('error', failed, { signal: this.leave.signal });
    video.addEventListener('ended', () => this.lose(new HeadwaterError('not-live', 'the stream has ended')), { signal: this.leave.signal });
    if (canItself) {
      video.srcObject = null;
      video.src = address.href;
    } else {
      const reader = (this.#reader = new HlsReader(video));
      reader.onlost = (error) => this.lose(error);
      await reader.start(address.href, text);
    }
    this.show();
  }

  /** Browsers do not say why a playlist cannot be had. @param {URL} address */
  async #ask(address) {
    const response = await fetch(address, { signal: this.leave.signal }).catch((cause) => {
      throw new HeadwaterError('network', undefined, { cause });
    });
    const { status } = response;
    const isPlaylist = response.headers.get('content-type')?.includes('mpegurl');
    const words = (await response.text().catch(() => '')).trim();
    if (response.ok && isPlaylist) return words;
    const isPage = words.startsWith('<');
    if (status === 401 || status === 403) throw new HeadwaterError('refused', isPage ? undefined : words, { status });
    if (isPage || response.ok) throw new HeadwaterError('unsupported', 'this server does not offer HLS', { status });
    if (status === 404) throw new HeadwaterError('not-live', words, { status });
    throw new HeadwaterError(status === 429 || status === 503 ? 'busy' : 'server', words, { status, retryAfter: Number(response.headers.get('retry-after')) || 0 });
  }

  /** Lists the sizes that the stream comes in, after choosing one, or `auto`, if it is named. @param {string} [chosen] @returns {Promise<any[]>} */
  async renditions(chosen) {
    const { levels = [] } = this.#reader ?? {};
    if (chosen !== undefined) {
      const index = levels.findIndex(({ label }) => label === chosen);
      if (index < 0 && chosen !== 'auto') throw new HeadwaterError('invalid', `there is no rendition ${chosen}`);
      await this.#reader?.choose(index < 0 ? null : index);
    }
    return levels.length < 2 ? [] : levels.map(({ label, width, height }) => ({ label, width, height }));
  }

  /** The part that can be seen again, in seconds of the element's time. @returns {any} */
  get seekable() {
    if (this.#reader) return this.#reader.range;
    const { seekable } = this.wish.video;
    if (seekable.length === 0) return null;
    return { start: seekable.start(0), end: seekable.end(seekable.length - 1) };
  }

  /** @param {number} time */
  seek(time) {
    if (this.#reader) this.#reader.seek(time);
    else this.wish.video.currentTime = time;
  }

  toLive() {
    const range = this.seekable;
    if (this.#reader) this.#reader.toLive();
    else if (range) this.seek(Math.max(range.start, range.end - LIVE_S / 2));
    this.wish.video.play().catch(() => {});
  }

  async stats() {
    const { video } = this.wish;
    const { totalVideoFrames = 0, droppedVideoFrames = 0 } = video.getVideoPlaybackQuality?.() ?? {};
    const at = performance.now();
    const seconds = (at - this.#begun.at) / 1000;
    const fps = this.#begun.at && seconds > 0 ? (totalVideoFrames - this.#begun.frames) / seconds : null;
    const bytes = this.#reader?.bytes ?? 0;
    const bitrate = this.#reader && fps !== null ? ((bytes - this.#begun.bytes) * 8) / seconds : null;
    this.#begun = { bytes, frames: totalVideoFrames, at };
    const range = this.seekable;
    const behind = range ? Math.max(0, range.end - video.currentTime) : null;
    const played = Math.round(video.currentTime * 1000);
    return {
      at: Date.now(),
      video: video.videoWidth ? {
        codec: '', decoder: '', width: video.videoWidth, height: video.videoHeight, fps, bitrate, packetsReceived: played, packetsLost: 0,
        lossPercent: null, nacks: 0, plis: 0, jitterMs: null, jitterBufferMs: null, decodeMs: null, processingMs: null, framesReceived: totalVideoFrames,
        framesDecoded: totalVideoFrames, keyFramesDecoded: 0, framesDropped: droppedVideoFrames, freezes: 0, frozenMs: 0,
      } : null,
      audio: null,
      connection: { transport: 'HTTP', remote: this.wish.base.host, rttMs: null, security: '' },
      estimatedLatencyMs: behind === null ? null : behind * 1000,
    };
  }

  async stop() {
    super.stop();
    this.#reader?.stop();
    const { video } = this.wish;
    video.pause();
    video.removeAttribute('src');
    video.load();
  }
}
