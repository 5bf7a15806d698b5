/**
 * What this page sends: tracks that may change while it is live.
 *
 * @import { Source, Wishes } from './headwater.d.ts'
 * @typedef {'audio'|'video'} Kind
 */
import { open, release } from './media.js';

export class Local {
  #media;
  #muted;
  /** @type {MediaStreamTrack|null} */
  #screen = null;
  #leave = new AbortController();
  /** A track has ended by itself. @type {(screen: boolean) => void} */
  onend = () => {};

  /** @param {MediaStream} media @param {Record<Kind, boolean>} muted */
  constructor(media, muted) {
    this.#media = media;
    this.#muted = muted;
  }

  /** @param {Source} source @param {Wishes} wishes @param {RTCPeerConnection|null} peer */
  async use(source, wishes, peer) {
    const { signal } = this.#leave;
    const tracks = await open(source, wishes).catch((error) => {
      // A phone opens one camera at a time: the old one has to go first.
      if (error.code !== 'device-busy' || source !== 'camera') throw error;
      release(this.#media.getTracks().filter(({ kind }) => wishes[/** @type {Kind} */ (kind)]));
      return open(source, wishes);
    });
    if (signal.aborted) return release(tracks);
    for (const track of tracks) {
      const sender = peer?.getSenders().find((sender) => sender.track?.kind === track.kind);
      await sender?.replaceTrack(track);
      // A session that began without sound takes none now, for instance that of a shared tab.
      if (sender || !peer) this.#take(track, source === 'screen' && track.kind === 'video');
      else release([track]);
    }
  }

  /** @param {MediaStreamTrack} track @param {boolean} screen */
  #take(track, screen) {
    const old = this.#media.getTracks().filter(({ kind }) => kind === track.kind);
    track.enabled = !this.#muted[/** @type {Kind} */ (track.kind)];
    if (track.kind === 'video') this.#screen = screen ? track : null;
    this.#media.addTrack(track);
    old.forEach((one) => this.#media.removeTrack(one));
    release(old);
    const ended = () => this.#media.getTracks().includes(track) && this.onend(track === this.#screen);
    track.addEventListener('ended', ended, { signal: this.#leave.signal });
  }

  clear() {
    this.#leave.abort();
    this.#leave = new AbortController();
    const tracks = this.#media.getTracks();
    release(tracks);
    tracks.forEach((track) => this.#media.removeTrack(track));
  }
}
