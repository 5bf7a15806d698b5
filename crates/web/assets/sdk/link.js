/**
 * One peer connection to the server, over any signalling: from the offer to its end, ICE restarts included.
 * One link is one session; after its end make a new one.
 *
 * Events: `connected` (media can flow), `interrupted`, `ended` (`detail` is a `HeadwaterError`).
 */
import { HeadwaterError } from './errors.js';

/** How long media may take to connect after the server's answer, or after an ICE restart. */
const CONNECT_MS = 10_000;
/** How long a broken path may take to mend itself before ICE is restarted. */
const DISCONNECTED_MS = 1500;

export class Link extends EventTarget {
  #signalling;
  #shape;
  #over = false;
  #restarting = false;
  /** @type {any} */
  #timer;
  #leave = new AbortController();
  connected = false;

  /**
   * @param {import('./headwater.d.ts').Signalling} signalling
   * @param {{iceServers?: RTCIceServer[], shape?: (sdp: string) => string}} [options]  `shape` may change an offer
   */
  constructor(signalling, { iceServers = [], shape = (sdp) => sdp } = {}) {
    super();
    if (typeof RTCPeerConnection !== 'function') throw new HeadwaterError('unsupported', 'this browser has no WebRTC');
    this.#signalling = signalling;
    this.#shape = shape;
    signalling.onend = (error) => this.#end(error);
    const peer = new RTCPeerConnection({ iceServers, bundlePolicy: 'max-bundle' });
    /** @type {RTCPeerConnection} */
    this.peer = peer;
    peer.addEventListener('icecandidate', ({ candidate }) => candidate && signalling.candidate?.(candidate, peer.localDescription?.sdp ?? ''));
    peer.addEventListener('connectionstatechange', () => this.#changed());
  }

  /** Resolves once the server accepted, before media flows. Tracks are added before. */
  async open() {
    try {
      const sdp = await this.#describe({});
      const answer = await this.#signalling.offer(sdp);
      await this.#accept(answer);
    } catch (error) {
      this.close();
      throw error instanceof HeadwaterError ? error : new HeadwaterError('unsupported', String(error), { cause: error });
    }
    this.#expect();
    this.#watchNetwork();
    this.#changed();
  }

  async close() {
    this.#over = true;
    this.#leave.abort();
    clearTimeout(this.#timer);
    // The server is told first: who leaves without a word may come back, and viewers would wait.
    await this.#signalling.close();
    this.peer.close();
  }

  /** @param {RTCOfferOptions} options */
  async #describe(options) {
    const offer = await this.peer.createOffer(options);
    const sdp = this.#shape(offer.sdp ?? '');
    await this.peer.setLocalDescription({ type: 'offer', sdp });
    return sdp;
  }

  /** @param {string} sdp */
  async #accept(sdp) {
    await this.peer.setRemoteDescription({ type: 'answer', sdp }).catch((cause) => {
      throw new HeadwaterError('server', `the server’s answer is not usable: ${cause.message}`, { cause });
    });
  }

  #expect() {
    clearTimeout(this.#timer);
    const code = this.connected ? 'network' : 'blocked';
    this.#timer = setTimeout(() => this.#end(new HeadwaterError(code)), CONNECT_MS);
  }

  /** Another network needs other addresses. */
  #watchNetwork() {
    const { signal } = this.#leave;
    const restart = () => this.connected && this.restart();
    globalThis.addEventListener?.('online', restart, { signal });
    /** @type {any} */ (globalThis.navigator)?.connection?.addEventListener?.('change', restart, { signal });
  }

  /** Looks for a new path. */
  async restart() {
    if (this.#over || this.#restarting) return;
    if (!this.#signalling.restart) return this.#end(new HeadwaterError('network', 'the connection broke'));
    this.#restarting = true;
    this.#expect();
    try {
      const sdp = await this.#describe({ iceRestart: true });
      const answer = await this.#signalling.restart(sdp, this.peer.currentRemoteDescription?.sdp ?? '');
      await this.#accept(answer);
    } catch (cause) {
      this.#end(new HeadwaterError('network', 'the connection broke', { cause }));
    }
    this.#restarting = false;
    if (this.peer.connectionState === 'connected') this.#changed();
  }

  #changed() {
    if (this.#over) return;
    const state = this.peer.connectionState;
    if (state === 'connected') {
      if (!this.#restarting) clearTimeout(this.#timer);
      if (!this.connected) this.#watchForGoodbye();
      this.connected = true;
      this.dispatchEvent(new Event('connected'));
    } else if (state === 'disconnected' && !this.#restarting) {
      this.dispatchEvent(new Event('interrupted'));
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.restart(), DISCONNECTED_MS);
    } else if (state === 'failed' && !this.#restarting) {
      if (this.connected) this.restart();
      else this.#end(new HeadwaterError('blocked'));
    } else if (state === 'closed') {
      this.#endedThere();
    }
  }

  /** A server that ends a session closes its DTLS; the connection’s state may take long to say so. */
  #watchForGoodbye() {
    const [{ transport } = { transport: null }] = [...this.peer.getSenders(), ...this.peer.getReceivers()];
    transport?.addEventListener('statechange', () => {
      if (transport.state === 'closed' || transport.state === 'failed') this.#endedThere();
    });
  }

  #endedThere() {
    this.#signalling.forget();
    this.#end(new HeadwaterError('network', 'the server ended the session'));
  }

  /** @param {HeadwaterError} error */
  #end(error) {
    if (this.#over) return;
    this.close();
    this.dispatchEvent(new CustomEvent('ended', { detail: error }));
  }
}

/**
 * A browser decodes Opus as one channel unless the offer asks for two. Source: RFC 7587 §7.1.
 * @param {string} sdp
 */
export function askForStereo(sdp) {
  const opus = sdp.match(/^a=rtpmap:(\d+) opus\/48000/im)?.[1];
  if (!opus) return sdp;
  return sdp.replace(new RegExp(`^a=fmtp:${opus} (?!.*\\bstereo=)(.*?)(\\r?)$`, 'm'), `a=fmtp:${opus} $1;stereo=1$2`);
}
