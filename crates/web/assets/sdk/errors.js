/**
 * What can go wrong, in words: a code for programs, a sentence for people, and what they can do.
 */

/** Code: sentence, advice. @type {Record<string, [string, string]>} */
const WORDS = {
  'permission-denied': ['The browser may not use the camera or microphone.', 'Allow it beside the page’s address, then try again.'],
  'no-device': ['There is no camera or microphone that fits.', 'Connect one, or publish without.'],
  'device-busy': ['The camera or microphone is in use by another program.', 'Close it, then try again.'],
  'device-lost': ['The camera or microphone was disconnected.', 'Connect it again, or choose another.'],
  cancelled: ['No screen was chosen.', 'Choose a screen, a window or a tab to share.'],
  'insecure-origin': ['Browsers give camera, microphone and screen only to secure pages.', 'Open the page over https, or as http://localhost.'],
  unsupported: ['This browser cannot do that.', 'A current Chrome, Edge, Firefox or Safari can.'],
  invalid: ['That is not possible.', 'Check what the call was given.'],
  'name-in-use': ['Someone publishes under this name already.', 'Choose another name.'],
  'not-live': ['Nobody publishes this stream.', 'Check the name, or wait until it is live.'],
  starting: ['The stream is about to start.', 'Try again in a moment.'],
  refused: ['The server does not allow it.', 'Check the token.'],
  codec: ['There is no codec that both sides know.', 'Publish H.264 and Opus.'],
  busy: ['The server is full.', 'Try again later.'],
  server: ['The server has a problem.', 'Look at the server’s log.'],
  network: ['The server cannot be reached.', 'Check the network and the address of the server.'],
  blocked: ['The server answers, but media does not get through.', 'Let the server’s media port through the firewall.'],
  stopped: ['It was stopped.', ''],
};

export class HeadwaterError extends Error {
  /**
   * @param {string} code
   * @param {string} [message]  the usual one of the code if absent
   * @param {{status?: number, retryAfter?: number, cause?: unknown}} [more]
   */
  constructor(code, message, more = {}) {
    const [usual, advice] = WORDS[code] ?? WORDS.server;
    super(message ? sentence(message) : usual, { cause: more.cause });
    this.name = 'HeadwaterError';
    this.code = code;
    this.advice = advice;
    this.status = more.status ?? 0;
    this.retryAfter = more.retryAfter ?? 0;
  }

  get passing() {
    return ['starting', 'busy', 'server', 'network', 'blocked'].includes(this.code);
  }
}

/** @param {string} text */
function sentence(text) {
  const words = text.trim();
  return `${words[0].toUpperCase()}${words.slice(1)}${/[.!?…]$/.test(words) ? '' : '.'}`;
}

/** By the names that browsers give. @type {Record<string, string>} */
const MEDIA_ERRORS = {
  NotAllowedError: 'permission-denied',
  SecurityError: 'permission-denied',
  NotFoundError: 'no-device',
  OverconstrainedError: 'no-device',
  NotReadableError: 'device-busy',
  AbortError: 'device-busy',
  TypeError: 'invalid',
};

/**
 * Why a device or a screen could not be opened. Source: Media Capture and Streams §10.2.
 * @param {any} error
 * @param {boolean} [screen]
 */
export function mediaError(error, screen = false) {
  if (error instanceof HeadwaterError) return error;
  const code = MEDIA_ERRORS[error?.name] ?? 'unsupported';
  const asked = error?.constraint && `no device has the ${error.constraint} that was asked for`;
  // A visitor who closes the choice of screens is not told from one who forbids it.
  return new HeadwaterError(screen && code === 'permission-denied' ? 'cancelled' : code, asked, { cause: error });
}

const DETAIL_CHARS_MAX = 300;

/**
 * What a refusal over HTTP means. The same status has another meaning for publishers.
 * @param {Response} response
 * @param {boolean} publishes
 */
export async function refusal(response, publishes) {
  const { status } = response;
  const retryAfter = Number(response.headers.get('retry-after')) || 0;
  return new HeadwaterError(refusalCode(status, publishes), await words(response), { status, retryAfter });
}

/**
 * @param {number} status
 * @param {boolean} publishes
 */
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
