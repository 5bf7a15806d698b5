/**
 * Signalling by WHIP (publishing) and WHEP (playing): a POST for the session, PATCH for its ICE, DELETE for its end.
 *
 * Source: RFC 9725; draft-ietf-wish-whep; RFC 8840 §9, the fragments of a session description.
 */
import { HeadwaterError } from './errors.js';

/** What the address of a choice of renditions is called. Source: draft-murillo-whep-03 §4.6.2. */
const CHOICE = 'urn:ietf:params:whep:ext:core:layer';
const FRAGMENT = 'application/trickle-ice-sdpfrag';
/** Candidates found within this time go in one request. */
const GATHER_MS = 100;
const FAREWELL_MS = 1000;
const DETAIL_CHARS_MAX = 300;

/** One session. */
export class HttpSignalling {
  #address;
  #publishes;
  /** @type {Record<string, string>} */
  #headers;
  /** @type {string|null} */
  #session = null;
  /** Where renditions are listed and chosen. @type {string|null} */
  #choice = null;
  /** @type {string|null} */
  #tag = null;
  #closed = false;
  #restarting = false;
  /** @type {string[]} */
  #candidates = [];
  #description = '';
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #gathering;
  #abort = new AbortController();
  /** DTLS tells it, not HTTP. @type {((error: HeadwaterError) => void)|null} */
  onend = null;

  /** @param {string|URL} address of the endpoint; relative to the page @param {{publishes?: boolean, token?: string, authorization?: string}} [options] */
  constructor(address, { publishes = false, token, authorization = token && `Bearer ${token}` } = {}) {
    this.#address = new URL(address, document.baseURI);
    this.#publishes = publishes;
    this.#headers = authorization ? { authorization } : {};
  }

  /** @param {string} sdp */
  async offer(sdp) {
    const headers = { ...this.#headers, 'content-type': 'application/sdp', accept: 'application/sdp' };
    const response = await this.#ask(this.#address, { method: 'POST', headers, body: sdp });
    if (response.status !== 201) throw await refusal(response, this.#publishes);
    const location = response.headers.get('location');
    this.#session = location && new URL(location, response.url).href;
    this.#tag = response.headers.get('etag');
    const links = response.headers.get('link')?.split(/,\s*(?=<)/) ?? [];
    const choice = links.find((link) => link.includes(CHOICE))?.match(/<(.+?)>/)?.[1];
    this.#choice = choice ? new URL(choice, response.url).href : null;
    const answer = await response.text();
    if (this.#closed) {
      this.close(); // while the answer was on its way: give the session back
      throw new HeadwaterError('stopped');
    }
    this.#tellCandidates();
    return answer;
  }

  /** @param {RTCIceCandidate} candidate @param {string} sdp the local description that it belongs to */
  candidate(candidate, sdp) {
    this.#candidates.push(`a=${candidate.candidate}`);
    this.#description = sdp;
    this.#tellCandidates();
  }

  #tellCandidates() {
    if (this.#candidates.length === 0) return;
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      if (!this.#session || !this.#tag || this.#restarting) return;
      // A server that wants no trickle refuses; the candidates it gave suffice then.
      this.#patch(this.#tag, [...fragment(this.#description), ...this.#candidates.splice(0)]).catch(() => {});
    }, GATHER_MS);
  }

  /** @param {string} sdp the new offer @param {string} answer the present answer */
  async restart(sdp, answer) {
    this.#restarting = true;
    this.#candidates = [];
    const response = await this.#patch('*', fragment(sdp));
    if (response.status !== 200) throw await refusal(response, this.#publishes);
    this.#tag = response.headers.get('etag') ?? this.#tag;
    this.#restarting = false;
    this.#tellCandidates();
    return renew(answer, await response.text());
  }

  /**
   * Lists the renditions, after choosing one, or `auto`, if it is named.
   * @param {string} [chosen]
   */
  async renditions(chosen) {
    if (!this.#choice) throw new HeadwaterError('unsupported', 'this server offers no choice of renditions');
    if (chosen !== undefined) {
      const headers = { ...this.#headers, 'content-type': 'application/json' };
      const body = JSON.stringify(chosen === 'auto' ? {} : { encodingId: chosen });
      const response = await this.#ask(this.#choice, { method: 'POST', headers, body });
      if (!response.ok) throw await refusal(response, true);
    }
    const response = await this.#ask(this.#choice, { headers: this.#headers });
    if (!response.ok) throw await refusal(response, false);
    const { layers = [] } = await response.json();
    return layers.map((/** @type {any} */ { encodingId: label, width = 0, height = 0 }) => ({ label, width, height }));
  }

  async close() {
    this.#closed = true;
    this.#abort.abort();
    const session = this.#session;
    this.#session = null;
    if (!session) return;
    // Even while the page is going away.
    const signal = AbortSignal.timeout(FAREWELL_MS);
    await fetch(session, { method: 'DELETE', headers: this.#headers, keepalive: true, signal }).catch(() => {});
  }

  forget() {
    this.#session = null;
  }

  /** @param {string} tag @param {string[]} lines */
  #patch(tag, lines) {
    const headers = { ...this.#headers, 'content-type': FRAGMENT, 'if-match': tag };
    return this.#ask(this.#session ?? '', { method: 'PATCH', headers, body: `${lines.join('\r\n')}\r\n` });
  }

  /** @param {string|URL} address @param {RequestInit} request */
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

/**
 * What a refusal over HTTP means. The same status has another meaning for publishers.
 * @param {Response} response
 * @param {boolean} publishes
 */
async function refusal(response, publishes) {
  const { status } = response;
  const retryAfter = Number(response.headers.get('retry-after')) || 0;
  return new HeadwaterError(refusalCode(status, publishes), await words(response), { status, retryAfter });
}

/** @param {number} status @param {boolean} publishes */
function refusalCode(status, publishes) {
  if (status === 404 || status === 410) return publishes ? 'invalid' : 'not-live';
  if (status === 409) return publishes ? 'name-in-use' : 'starting';
  if (status === 401 || status === 403) return 'refused';
  if (status === 406 || status === 415 || status === 422) return 'codec';
  if (status === 429 || status === 503) return 'busy';
  return status === 400 ? 'invalid' : 'server';
}

/**
 * The server's own words: plain text, or the message of a JSON error.
 * @param {Response} response
 */
async function words(response) {
  const usual = `the server answered ${response.status}`;
  if (response.headers.get('content-type')?.includes('html')) return usual;
  const text = (await response.text().catch(() => '')).trim();
  try {
    const { message, detail, error, title } = JSON.parse(text);
    return String(detail ?? message ?? error ?? title ?? usual).slice(0, DETAIL_CHARS_MAX);
  } catch {
    return text.slice(0, DETAIL_CHARS_MAX) || usual;
  }
}
