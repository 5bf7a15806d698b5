/**
 * Playing by WHEP: one class, no page, no dependency; usable alone.
 *
 *     import { WhepClient } from '/assets/whep.js';
 *     const client = new WhepClient('/demo/whep');
 *     client.addEventListener('lost', () => …);
 *     video.srcObject = await client.start();
 *     …
 *     await client.stop();
 *
 * One client is one session; after `lost` or `stop` make a new one.
 *
 * Events: `connected` (media can flow), `lost` (`detail` is a sentence; the session is over).
 *
 * Source: WHEP, draft-ietf-wish-whep; trickle ICE as in RFC 9725 §4.3.
 */

/**
 * Why a session could not begin.
 *
 * `not-live`: nobody publishes the stream. `starting`: someone does, but it cannot be played yet. `refused`: not allowed. `codec`: no coding format in common.
 * `busy`: the server is full. `server`: it failed. `network`: it cannot be reached.
 * `blocked`: it answers, but media does not get through. `unsupported`: the browser has no WebRTC.
 * @typedef {'not-live'|'starting'|'refused'|'codec'|'busy'|'server'|'network'|'blocked'|'unsupported'} WhepErrorKind
 */

export class WhepError extends Error {
  /**
   * @param {WhepErrorKind} kind
   * @param {string} message
   * @param {{status?: number, retryAfter?: number, cause?: unknown}} [more]
   */
  constructor(kind, message, more = {}) {
    super(message, { cause: more.cause });
    this.name = 'WhepError';
    this.kind = kind;
    /** HTTP status, if there was one. */
    this.status = more.status ?? 0;
    /** Seconds the server asks to wait, or 0. */
    this.retryAfter = more.retryAfter ?? 0;
  }
}

/** How long media may take to connect after the server's answer. */
const CONNECT_MS = 10_000;
/** How long a broken path may take to mend itself. */
const DISCONNECTED_MS = 3000;
/** Candidates found within this time go in one request. */
const GATHER_MS = 100;
/** Sentences from a server are cut to this length. */
const DETAIL_CHARS_MAX = 300;

export class WhepClient extends EventTarget {
  #address;
  /** @type {Record<string, string>} */
  #headers;
  /** @type {RTCPeerConnection|null} */
  #peer = null;
  /** @type {string|null} */
  #session = null;
  /** @type {string|null} */
  #tag = null;
  /** @type {RTCIceCandidate[]} */
  #candidates = [];
  #over = false;
  #connected = false;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #gathering;
  #abort = new AbortController();

  /**
   * @param {string|URL} address  of the WHEP endpoint; relative to the page
   * @param {{token?: string, iceServers?: RTCIceServer[]}} [options]
   */
  constructor(address, options = {}) {
    super();
    this.#address = new URL(address, document.baseURI);
    this.#headers = options.token ? { authorization: `Bearer ${options.token}` } : {};
    this.iceServers = options.iceServers ?? [];
    /** What plays; filled when `start` resolves. */
    this.stream = new MediaStream();
  }

  /** The connection, for statistics; null before `start` and after the end. */
  get peer() {
    return this.#peer;
  }

  /**
   * Begins the session: resolves with the media as soon as the server accepted, before media flows.
   * @returns {Promise<MediaStream>}
   * @throws {WhepError}
   */
  async start() {
    if (typeof RTCPeerConnection !== 'function') throw new WhepError('unsupported', 'this browser has no WebRTC');
    const peer = new RTCPeerConnection({ iceServers: this.iceServers, bundlePolicy: 'max-bundle' });
    this.#peer = peer;
    peer.addTransceiver('video', { direction: 'recvonly' });
    peer.addTransceiver('audio', { direction: 'recvonly' });
    peer.addEventListener('track', ({ track }) => this.stream.addTrack(track));
    peer.addEventListener('icecandidate', ({ candidate }) => candidate && this.#trickle(candidate));
    peer.addEventListener('connectionstatechange', () => this.#connectionChanged());
    try {
      const offer = await peer.createOffer();
      const sdp = askForStereo(offer.sdp ?? '');
      await peer.setLocalDescription({ type: 'offer', sdp });
      const answer = await this.#post(sdp);
      await peer.setRemoteDescription({ type: 'answer', sdp: answer }).catch((cause) => {
        throw new WhepError('server', `the server's answer is not usable: ${cause.message}`, { cause });
      });
    } catch (error) {
      this.stop();
      throw error;
    }
    this.#timer = setTimeout(() => this.#end('media does not get through', 'blocked'), CONNECT_MS);
    this.#connectionChanged();
    return this.stream;
  }

  /** Which of `video`, `audio` the server will send. */
  get kinds() {
    return this.stream.getTracks().map((track) => track.kind);
  }

  /** Ends the session and tells the server, even while the page is going away. */
  async stop() {
    this.#over = true;
    this.#abort.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#gathering);
    this.#peer?.close();
    this.#peer = null;
    const session = this.#session;
    this.#session = null;
    if (!session) return;
    await fetch(session, { method: 'DELETE', headers: this.#headers, keepalive: true }).catch(() => {});
  }

  /**
   * @param {string} offer
   * @returns {Promise<string>}
   */
  async #post(offer) {
    const headers = { ...this.#headers, 'content-type': 'application/sdp', accept: 'application/sdp' };
    /** @type {Response} */
    let response;
    try {
      response = await fetch(this.#address, { method: 'POST', headers, body: offer, signal: this.#abort.signal });
    } catch (cause) {
      throw new WhepError('network', 'the server cannot be reached', { cause });
    }
    if (response.status !== 201) throw await refusal(response);
    const location = response.headers.get('location');
    this.#session = location && new URL(location, response.url).href;
    this.#tag = response.headers.get('etag');
    const answer = await response.text();
    if (this.#over) {
      this.stop(); // stopped while the answer was on its way: give the session back
      throw new WhepError('network', 'stopped');
    }
    this.#gathering ??= setTimeout(() => this.#sendCandidates(), GATHER_MS);
    return answer;
  }

  /** @param {RTCIceCandidate} candidate */
  #trickle(candidate) {
    this.#candidates.push(candidate);
    this.#gathering ??= setTimeout(() => this.#sendCandidates(), GATHER_MS);
  }

  /** Source: RFC 8840 §9, the SDP fragment; RFC 9725 §4.3.2, the PATCH that carries it. */
  #sendCandidates() {
    this.#gathering = undefined;
    if (!this.#session || !this.#tag || this.#over || this.#candidates.length === 0) return;
    const sdp = this.#peer?.localDescription?.sdp ?? '';
    const line = (/** @type {RegExp} */ pattern) => sdp.match(pattern)?.[0].trim() ?? '';
    const fragment = [line(/^a=ice-ufrag:.*$/m), line(/^a=ice-pwd:.*$/m), line(/^m=.*$/m), `a=mid:${this.#candidates[0].sdpMid ?? '0'}`];
    for (const candidate of this.#candidates.splice(0)) fragment.push(`a=${candidate.candidate}`);
    // A server that wants no trickle refuses; the candidates it gave suffice then.
    fetch(this.#session, {
      method: 'PATCH',
      headers: { ...this.#headers, 'content-type': 'application/trickle-ice-sdpfrag', 'if-match': this.#tag },
      body: `${fragment.join('\r\n')}\r\n`,
      signal: this.#abort.signal,
    }).catch(() => {});
  }

  #connectionChanged() {
    const state = this.#peer?.connectionState;
    if (this.#over || !state) return;
    if (state === 'connected') {
      clearTimeout(this.#timer);
      if (this.#connected) return;
      this.#connected = true;
      this.#watchForGoodbye();
      this.dispatchEvent(new CustomEvent('connected'));
    } else if (state === 'disconnected') {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#end('the connection broke', 'network'), DISCONNECTED_MS);
    } else if (state === 'failed') {
      this.#end('the connection broke', 'network');
    } else if (state === 'closed') {
      this.#endedThere();
    }
  }

  /** A server that ends a session closes its DTLS; the connection's own state may take long to say so. */
  #watchForGoodbye() {
    const transport = this.#peer?.getReceivers()[0]?.transport;
    transport?.addEventListener('statechange', () => {
      if (transport.state === 'closed' || transport.state === 'failed') this.#endedThere();
    });
  }

  #endedThere() {
    this.#session = null; // there is nothing left to give back
    this.#end('the server ended the session', 'server');
  }

  /**
   * @param {string} reason
   * @param {WhepErrorKind} kind
   */
  #end(reason, kind) {
    if (this.#over) return;
    this.stop();
    this.dispatchEvent(new CustomEvent('lost', { detail: new WhepError(kind, reason) }));
  }
}

/**
 * What a refused offer means.
 * @param {Response} response
 */
async function refusal(response) {
  const { status } = response;
  const said = await sentence(response);
  const retryAfter = Number(response.headers.get('retry-after')) || 0;
  return new WhepError(refusalKind(status), said || `the server answered ${status}`, { status, retryAfter });
}

/**
 * @param {number} status
 * @returns {WhepErrorKind}
 */
function refusalKind(status) {
  if (status === 404 || status === 410) return 'not-live';
  if (status === 409) return 'starting';
  if (status === 401 || status === 403) return 'refused';
  if (status === 406 || status === 415 || status === 422) return 'codec';
  if (status === 429 || status === 503) return 'busy';
  return 'server';
}

/**
 * The server's own words: plain text, or the message of a JSON error.
 * @param {Response} response
 */
async function sentence(response) {
  const type = response.headers.get('content-type') ?? '';
  const text = await response.text().catch(() => '');
  if (type.includes('html')) return '';
  try {
    const { message, detail, error, title } = JSON.parse(text);
    return String(detail ?? message ?? error ?? title ?? '').slice(0, DETAIL_CHARS_MAX);
  } catch {
    return text.trim().slice(0, DETAIL_CHARS_MAX);
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
