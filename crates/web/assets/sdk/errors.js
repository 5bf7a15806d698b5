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

/** A module that is loaded when it is first of use. @template T @param {Promise<T>} module */
export const loaded = (module) => module.catch((cause) => {
  throw new HeadwaterError('network', undefined, { cause });
});
