/**
 * What the pages ask of the server's REST API, and how its addresses are built.
 *
 * @typedef {object} LiveStream
 * @property {string} name
 * @property {string} status         as the API says it, e.g. `PUBLISHING`
 * @property {boolean} paused        the publisher is away and may come back
 * @property {string} source         how it comes in: `RTMP`, `WebRTC`, …
 * @property {boolean} hasVideo
 * @property {boolean} hasAudio
 * @property {string} videoCodec
 * @property {string} audioCodec
 * @property {number} width          0 if not known
 * @property {number} height         0 if not known
 * @property {number} fps            0 if not known
 * @property {number|null} bitrate   bit/s
 * @property {number} viewers
 * @property {number|null} since     when it began, in ms since 1970
 * @property {boolean} bFrames       pictures come out of order, which WebRTC pays for with delay
 * @property {{from: string, to: string, reason: string}[]} conversions  what is converted for viewers just now
 * @property {string[]} remarks      what an operator should know, in sentences
 */

const ENDED = new Set(['UNPUBLISHED', 'STOPPED', 'FAILED', 'PLAYBACK_PROBLEM', 'ENDED', 'DISCONNECTED']);

/**
 * The address of a stream's player page. A name needs no escaping: the server refuses those that would.
 * @param {string} name
 */
export const playerAddress = (name) => `/play/${name}`;

/**
 * Where a viewer sends an offer. Source: WHEP, draft-ietf-wish-whep.
 * @param {string} name
 */
export const whepAddress = (name) => `/${name}/whep`;

/** The stream name in the address of a player page. */
export function nameFromAddress(path = location.pathname) {
  try {
    return decodeURIComponent(path.replace(/^\/play\//, ''));
  } catch {
    return '';
  }
}

/** The API answers only those who have a role. */
export class NotAllowed extends Error {
  constructor() {
    super('this server shows its streams only to those who have a role');
  }
}

/**
 * All live streams, by name.
 * @param {RequestCredentials} credentials - with "omit", a browser asks its user for no password where the API wants one
 * @param {AbortSignal} [signal]
 * @returns {Promise<LiveStream[]>}
 */
export async function liveStreams(credentials, signal) {
  return summarise(await find({ published: true }, credentials, signal));
}

/**
 * One stream: null if it is not live, undefined if the server would not say.
 * @param {string} name
 * @param {AbortSignal} [signal]
 * @returns {Promise<LiveStream|null|undefined>}
 */
export async function liveStream(name, signal) {
  try {
    return summarise(await find({ name, published: true }, 'omit', signal)).find((stream) => stream.name === name) ?? null;
  } catch {
    return undefined;
  }
}

/**
 * The API lists every viewer beside the publishers; thousands of them are asked for only if they are wanted.
 * @param {object} wanted
 * @param {RequestCredentials} credentials
 * @param {AbortSignal} [signal]
 * @returns {Promise<any[]>}
 */
async function find(wanted, credentials, signal) {
  const response = await fetch('/rest-api/stream/find', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(wanted),
    credentials,
    signal: signal ?? AbortSignal.timeout(8000),
  });
  if (response.status === 404) return []; // the API's way to say "none"
  if (response.status === 401 || response.status === 403) throw new NotAllowed();
  if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`.trim());
  const found = await response.json();
  return Array.isArray(found) ? found : [];
}

/**
 * One entry per publication, from the API's list of publishers and viewers.
 * @param {any[]} entries
 * @returns {LiveStream[]}
 */
export function summarise(entries) {
  const running = entries.filter((entry) => entry && typeof entry.name === 'string' && !ENDED.has(entry.status));
  const watching = new Map();
  for (const entry of running) {
    if (!publishes(entry)) watching.set(entry.name, (watching.get(entry.name) ?? 0) + 1);
  }
  return running
    .filter(publishes)
    .map((entry) => describe(entry, watching.get(entry.name) ?? 0))
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
}

/** @param {any} entry */
const publishes = (entry) => (entry.mediaType ? entry.mediaType === 'publish' : entry.published !== false);

/**
 * @param {any} entry
 * @param {number} watching
 * @returns {LiveStream}
 */
function describe(entry, watching) {
  return {
    name: entry.name,
    status: String(entry.status ?? ''),
    paused: entry.status === 'PAUSED',
    source: String(entry.mediaProvider ?? ''),
    hasVideo: entry.hasVideo ?? Boolean(entry.videoCodec),
    hasAudio: entry.hasAudio ?? Boolean(entry.audioCodec),
    videoCodec: String(entry.videoCodec ?? ''),
    audioCodec: String(entry.audioCodec ?? ''),
    width: Number(entry.width) || 0,
    height: Number(entry.height) || 0,
    fps: Number(entry.fps) || 0,
    bitrate: Number(entry.bitrate) || null,
    viewers: Number(entry.viewers ?? watching) || 0,
    since: instant(entry.createDate),
    bFrames: Boolean(entry.bFrames),
    conversions: Array.isArray(entry.conversions) ? entry.conversions : [],
    remarks: Array.isArray(entry.remarks) ? entry.remarks.map(String) : [],
  };
}

/**
 * Milliseconds since 1970 from a number or a date in words.
 * @param {unknown} raw
 */
function instant(raw) {
  const value = typeof raw === 'string' && !/^\d+$/.test(raw) ? Date.parse(raw) : Number(raw);
  return value > 0 ? value : null;
}
