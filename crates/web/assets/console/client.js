/**
 * The REST API as the Console asks it: with credentials that are in no address and no cookie, and of any server.
 *
 * They go with each call in `Authorization`, which no page of another site can send; they are kept for this tab alone,
 * until it is closed or somebody signs out.
 *
 * Events: `signin` when credentials are needed (`detail` is a sentence), `lost` and `found` when the server cannot be
 * reached and can be again.
 */

const KEPT = 'headwater.console.authorization';
const PATIENCE_MS = 8000;
const ROLES = ['viewer', 'publisher', 'operator', 'admin'];

/** What a call was answered with, when it was refused. */
export class CallError extends Error {
  /** @param {number} status 0 where nothing answered @param {string} code @param {string} message @param {string} [field] */
  constructor(status, code, message, field) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
  }
}

export class Client extends EventTarget {
  #authorization = recall();
  #reachable = true;
  /** What the server said last of itself and of who asks. @type {any} */
  self = null;

  /** The field for who plays a stream as well. */
  get authorization() {
    return this.#authorization;
  }

  get reachable() {
    return this.#reachable;
  }

  /** Whether somebody has signed in. */
  get signedIn() {
    return this.#authorization !== '';
  }

  /** Whether who asks may do what takes this role; where the server knows nobody, everybody may. @param {string} role */
  may(role) {
    const own = this.self?.callerRole;
    return own === undefined || ROLES.indexOf(own) >= ROLES.indexOf(role);
  }

  /** @param {string} name @param {string} password */
  async signInAs(name, password) {
    const bytes = new TextEncoder().encode(`${name}:${password}`);
    await this.#signIn(`Basic ${btoa(String.fromCharCode(...bytes))}`);
  }

  /** @param {string} token */
  async signInWith(token) {
    await this.#signIn(`Bearer ${token}`);
  }

  /** @param {string} authorization */
  async #signIn(authorization) {
    const before = this.#authorization;
    this.#authorization = authorization;
    try {
      await this.begin();
    } catch (error) {
      this.#authorization = before;
      throw error;
    }
    keep(authorization);
  }

  signOut() {
    this.#authorization = '';
    this.self = null;
    keep('');
    this.dispatchEvent(new CustomEvent('signin', { detail: '' }));
  }

  /** Learns which server this is, and who asks. */
  async begin() {
    this.self = await this.call('node/figures', {}, { quiet: true });
    return this.self;
  }

  /**
   * Makes a call; null where a list is empty, which the API answers with 404.
   * @param {string} call        such as `stream/find`
   * @param {object} [body]
   * @param {{node?: string, signal?: AbortSignal, quiet?: boolean, empty?: any}} [options] `node` is the server that answers;
   *   `empty` is what stands for 404; `quiet` has nobody asked to sign in
   */
  async call(call, body = {}, { node = '', signal, quiet = false, empty } = {}) {
    /** @type {Record<string, string>} */
    const headers = { 'content-type': 'application/json' };
    if (this.#authorization) headers.authorization = this.#authorization;
    if (node && node !== this.self?.node) headers['headwater-node'] = node;
    const patience = AbortSignal.timeout(PATIENCE_MS);
    let response;
    try {
      response = await fetch(`/rest-api/${call}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
        credentials: 'omit', // a browser asks its user for no password of its own
        cache: 'no-store',
        signal: signal ? AbortSignal.any([signal, patience]) : patience,
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      this.#reach(false);
      throw new CallError(0, 'unreachable', 'The server cannot be reached. Look whether it runs, and whether this device is online.');
    }
    this.#reach(true);
    if (response.ok) return read(response);
    if (response.status === 404 && empty !== undefined) {
      const refusal = await refused(response);
      if (refusal.code === 'not_found') return empty;
      throw refusal;
    }
    const refusal = await refused(response);
    if (response.status === 401 && !quiet && !node) this.dispatchEvent(new CustomEvent('signin', { detail: this.signedIn ? 'These credentials are good no more.' : '' }));
    throw refusal;
  }

  /** @param {boolean} reachable */
  #reach(reachable) {
    if (reachable === this.#reachable) return;
    this.#reachable = reachable;
    this.dispatchEvent(new Event(reachable ? 'found' : 'lost'));
  }
}

/** @param {Response} response */
async function read(response) {
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** @param {Response} response */
async function refused(response) {
  const text = await response.text().catch(() => '');
  try {
    const { code, message, field } = JSON.parse(text);
    return new CallError(response.status, String(code), String(message), field);
  } catch {
    const words = text.trim().slice(0, 300) || response.statusText || 'no reason was given';
    return new CallError(response.status, 'refused', `The server answered ${response.status}: ${words}`);
  }
}

function recall() {
  try {
    return sessionStorage.getItem(KEPT) ?? '';
  } catch {
    return ''; // storage is refused: signing in lasts as long as the page
  }
}

/** @param {string} authorization */
function keep(authorization) {
  try {
    if (authorization) sessionStorage.setItem(KEPT, authorization);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // it lasts as long as the page
  }
}
