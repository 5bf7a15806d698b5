/**
 * The list of live streams, kept fresh.
 *
 * For tests: `window.headwater` is `{page, state, streams, error}`, and `body[data-state]` is one of
 * `loading`, `empty`, `live`, `unreachable`.
 */
import { NotAllowed, liveStreams, playerAddress } from './api.js';
import { byId, element, setText } from './dom.js';
import * as format from './format.js';
import { showWays } from './send.js';

const REFRESH_MS = 2000;
const REFRESH_HIDDEN_MS = 15_000;
/** How long somebody may take to write name and password. */
const SIGN_IN_MS = 120_000;

/** @type {{page: 'streams', state: string, streams: import('./api.js').LiveStream[], error: string|null}} */
const shared = { page: 'streams', state: 'loading', streams: [], error: null };
Object.assign(window, { headwater: shared });

/** @type {Map<string, HTMLElement>} */
const rows = new Map();

/** @param {string} state */
function setState(state) {
  const before = shared.state;
  shared.state = state;
  document.body.dataset.state = state;
  if (state !== before && state !== 'unreachable') {
    /** @type {HTMLDetailsElement} */ (byId('send')).open = state === 'empty';
  }
}

/** Whoever has not signed in is not asked for a password every two seconds. @type {RequestCredentials} */
let credentials = 'omit';

/** The list is for those who have a role; with the button, the browser asks for name and password. */
function offerToSignIn() {
  credentials = 'omit';
  const button = element('button', { type: 'button' }, 'Sign in');
  button.addEventListener('click', () => {
    credentials = 'same-origin';
    refresh(AbortSignal.timeout(SIGN_IN_MS));
  });
  byId('trouble').replaceChildren('This server shows its streams only to those who have a role. ', button);
  byId('trouble').hidden = false;
  setText(byId('summary'), '');
}

/** @param {AbortSignal} [signal] */
async function refresh(signal) {
  try {
    shared.streams = await liveStreams(credentials, signal);
    shared.error = null;
    show(shared.streams);
    setState(shared.streams.length ? 'live' : 'empty');
  } catch (error) {
    shared.error = error instanceof TypeError ? 'the connection failed' : String(/** @type {Error} */ (error).message);
    setState('unreachable');
    if (error instanceof NotAllowed) {
      offerToSignIn();
      return;
    }
  }
  const trouble = byId('trouble');
  trouble.hidden = shared.error === null;
  if (shared.error) {
    setText(trouble, `The server cannot be asked what is live: ${shared.error}. Trying again…`);
    if (rows.size === 0) setText(byId('summary'), '');
  }
  plan();
}

/** @type {ReturnType<typeof setTimeout>|undefined} */
let timer;
function plan() {
  clearTimeout(timer);
  timer = setTimeout(() => refresh(), document.hidden ? REFRESH_HIDDEN_MS : REFRESH_MS);
}

/** @param {import('./api.js').LiveStream[]} streams */
function show(streams) {
  const names = new Set(streams.map((stream) => stream.name));
  for (const [name, row] of rows) {
    if (!names.has(name)) {
      row.remove();
      rows.delete(name);
    }
  }
  const body = byId('rows');
  streams.forEach((stream, index) => {
    let row = rows.get(stream.name);
    if (!row) {
      row = newRow(stream.name);
      rows.set(stream.name, row);
    }
    if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
    fill(row, stream);
  });
  byId('table').hidden = streams.length === 0;
  byId('empty').hidden = streams.length > 0;
  // Viewers come and go all the time; only streams are worth telling to who listens to the page.
  setText(byId('announcement'), streams.length === 0 ? 'Nothing is live' : format.count(streams.length, 'live stream', 'live streams'));
  const viewers = streams.reduce((sum, stream) => sum + stream.viewers, 0);
  setText(byId('summary'), streams.length === 0 ? '' : `${format.number(streams.length)} live, ${format.count(viewers, 'viewer', 'viewers')}`);
}

/** @param {string} name */
function newRow(name) {
  const link = element('a', { href: playerAddress(name), class: 'stream-link' }, name);
  const cell = (/** @type {string} */ part, /** @type {string} */ label, /** @type {(Node|string)[]} */ ...children) =>
    element('td', { role: 'cell', 'data-part': part, 'data-label': label }, ...children);
  return element(
    'tr',
    { role: 'row', 'data-name': name },
    element('th', { role: 'rowheader', scope: 'row' }, element('div', { class: 'stream-name' }, link, element('span', { class: 'badges' }))),
    cell('picture', 'Picture'),
    cell('sound', 'Sound'),
    cell('bitrate', 'Bitrate'),
    cell('viewers', 'Viewers'),
    cell('uptime', 'Live for'),
  );
}

/**
 * @param {HTMLElement} row
 * @param {import('./api.js').LiveStream} stream
 */
function fill(row, stream) {
  const picture = [format.codec(stream.videoCodec), format.size(stream.width, stream.height), format.frameRate(stream.fps)];
  const sound = [format.codec(stream.audioCodec), format.soundFormat(stream.audioCodec)];
  const texts = {
    picture: stream.hasVideo ? picture.filter(Boolean).join('  ') : 'none',
    sound: stream.hasAudio ? sound.filter(Boolean).join('  ') : 'none',
    bitrate: format.bitrate(stream.bitrate) || '–',
    viewers: format.number(stream.viewers),
    uptime: stream.since ? format.duration((Date.now() - stream.since) / 1000) : '–',
  };
  for (const [part, text] of Object.entries(texts)) {
    const cell = row.querySelector(`[data-part="${part}"]`);
    if (cell) setText(cell, text);
  }
  row.dataset.paused = String(stream.paused);
  fillBadges(/** @type {HTMLElement} */ (row.querySelector('.badges')), stream);
}

/**
 * @param {HTMLElement} place
 * @param {import('./api.js').LiveStream} stream
 */
function fillBadges(place, stream) {
  /** @type {[string, string, string][]} */
  const badges = [];
  if (stream.paused) badges.push(['Paused', 'warn', 'The publisher is away; viewers wait for it to come back']);
  if (stream.source) badges.push([stream.source, '', `It comes in by ${stream.source}`]);
  if (stream.bFrames) badges.push(['B-frames', 'warn', stream.remarks[0] ?? 'Pictures come out of order, which costs delay in a browser']);
  for (const { from, to, reason } of stream.conversions) badges.push([`${format.codec(from)} to ${format.codec(to)}`, '', reason]);
  const wanted = badges.map(([text]) => text).join('|');
  if (place.dataset.shown === wanted) return;
  place.dataset.shown = wanted;
  place.replaceChildren(...badges.map(([text, kind, title]) => element('span', { class: `badge ${kind}`.trim(), title }, text)));
}

showWays(byId('ways'));
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) refresh();
});
refresh();
