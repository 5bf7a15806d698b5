/**
 * Signalling by WHIP (publishing) and WHEP (playing): a POST for the session, PATCH for its ICE, DELETE for its end.
 *
 * Source: RFC 9725; draft-ietf-wish-whep; RFC 8840 §9, the fragments of a session description.
 */
import { HeadwaterError, refusal } from './errors.js';

const FRAGMENT = 'application/trickle-ice-sdpfrag';

/** One session. */
export class HttpSignalling {
  #address;
  #publishes;
  /** @type {Record<string, string>} */
  #headers;
  /** @type {string|null} */
  #session = null;
  /** @type {string|null} */
  #tag = null;
  #closed = false;
  #abort = new AbortController();
  /** DTLS tells it, not HTTP. @type {((error: HeadwaterError) => void)|null} */
  onend = null;

  /**
   * @param {string|URL} address  of the endpoint; relative to the page
   * @param {{publishes?: boolean, token?: string}} [options]
   */
  constructor(address, { publishes = false, token } = {}) {
    this.#address = new URL(address, document.baseURI);
    this.#publishes = publishes;
    this.#headers = token ? { authorization: `Bearer ${token}` } : {};
  }

  /** @param {string} sdp */
  async offer(sdp) {
    const headers = { ...this.#headers, 'content-type': 'application/sdp', accept: 'application/sdp' };
    const response = await this.#ask(this.#address, { method: 'POST', headers, body: sdp });
    if (response.status !== 201) throw await refusal(response, this.#publishes);
    const location = response.headers.get('location');
    this.#session = location && new URL(location, response.url).href;
    this.#tag = response.headers.get('etag');
    const answer = await response.text();
    if (this.#closed) {
      this.close(); // while the answer was on its way: give the session back
      throw new HeadwaterError('stopped');
    }
    return answer;
  }

  /**
   * @param {RTCIceCandidate[]} candidates
   * @param {string} sdp  the local description that they belong to
   */
  candidates(candidates, sdp) {
    if (!this.#session || !this.#tag) return;
    const lines = candidates.map(({ candidate }) => `a=${candidate}`);
    // A server that wants no trickle refuses; the candidates it gave suffice then.
    this.#patch(this.#tag, [...fragment(sdp), ...lines]).catch(() => {});
  }

  /**
   * @param {string} sdp     the new offer
   * @param {string} answer  the present answer
   */
  async restart(sdp, answer) {
    const response = await this.#patch('*', fragment(sdp));
    if (response.status !== 200) throw await refusal(response, this.#publishes);
    this.#tag = response.headers.get('etag') ?? this.#tag;
    return renew(answer, await response.text());
  }

  async close() {
    this.#closed = true;
    this.#abort.abort();
    const session = this.#session;
    this.#session = null;
    if (!session) return;
    // Even while the page is going away.
    await fetch(session, { method: 'DELETE', headers: this.#headers, keepalive: true }).catch(() => {});
  }

  forget() {
    this.#session = null;
  }

  /**
   * @param {string} tag
   * @param {string[]} lines
   */
  #patch(tag, lines) {
    const headers = { ...this.#headers, 'content-type': FRAGMENT, 'if-match': tag };
    return this.#ask(this.#session ?? '', { method: 'PATCH', headers, body: `${lines.join('\r\n')}\r\n` });
  }

  /**
   * @param {string|URL} address
   * @param {RequestInit} request
   */
  async #ask(address, request) {
    try {
      return await fetch(address, { ...request, signal: this.#abort.signal });
    } catch (cause) {
      throw new HeadwaterError(this.#closed ? 'stopped' : 'network', undefined, { cause });
    }
  }
}

/**
 * The head of a fragment: credentials, and the media section that carries all (bundled) media.
 * @param {string} sdp
 */
function fragment(sdp) {
  const patterns = [/^a=ice-ufrag:.*$/m, /^a=ice-pwd:.*$/m, /^m=.*$/m, /^a=mid:.*$/m];
  return patterns.map((pattern) => sdp.match(pattern)?.[0].trim() ?? '').filter(Boolean);
}

/**
 * An answer with the credentials and candidates of a fragment in the place of its own.
 * @param {string} answer
 * @param {string} given
 */
export function renew(answer, given) {
  const fresh = given.match(/^a=(ice-ufrag|ice-pwd|candidate):[^\r\n]*/gm) ?? [];
  const names = fresh.map((line) => line.slice(0, line.indexOf(':') + 1));
  const lines = answer.split(/\r?\n/).filter((line) => !names.some((name) => line.startsWith(name)));
  lines.splice(lines.findIndex((line) => line.startsWith('a=mid:')) + 1, 0, ...fresh);
  return lines.join('\r\n');
}
