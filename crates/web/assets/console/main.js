/**
 * The Console: signing in, its pages, and what is said when the server cannot be reached.
 *
 * For tests: `body[data-state]` is one of `loading`, `sign-in`, `ready`, and `body[data-lost]` is there while the server
 * does not answer.
 *
 * @typedef {object} Context
 * @property {import('./client.js').Client} client
 * @property {string} rest               what stands behind the page's name in the address
 * @property {URLSearchParams} query
 * @property {(text: string) => void} trouble  says what is wrong on the page; nothing if empty
 * @property {(address: string) => void} go
 */
import { byId, element, setText } from '../dom.js';
import { Client } from './client.js';
import { showLoad } from './load/page.js';
import { repeat } from './poll.js';
import { showRelays } from './relays.js';
import { showServers } from './servers.js';
import { showSessions } from './sessions.js';
import { showStream } from './stream.js';
import { showStreams } from './streams.js';

const RETRY_MS = 2000;
const client = new Client();
/** @type {() => void} */
let leave = () => {};

/** @type {Record<string, (place: HTMLElement, context: Context) => () => void>} */
const PAGES = { servers: showServers, streams: showStreams, sessions: showSessions, relays: showRelays, load: showLoad };

/** @param {string} state */
const setState = (state) => (document.body.dataset.state = state);

/** @param {string} text */
function trouble(text) {
  // That the server does not answer is said above, once.
  const shown = client.reachable ? text : '';
  byId('trouble').hidden = !shown;
  setText(byId('trouble'), shown);
}

/** Shows the page that the address names. */
function show() {
  if (document.body.dataset.state !== 'ready') return;
  leave();
  trouble('');
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const [page, ...rest] = path.split('/').map(decode);
  const name = Object.hasOwn(PAGES, page) ? page : 'servers';
  for (const link of document.querySelectorAll('#tabs a')) {
    if (link.getAttribute('href') === `#/${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${rest.filter(Boolean).at(-1) ?? name.charAt(0).toUpperCase() + name.slice(1)} – Console – Headwater`;
  const place = element('div');
  byId('page').replaceChildren(place);
  const context = { client, rest: rest.join('/'), query: new URLSearchParams(query ?? ''), trouble, go: (/** @type {string} */ address) => void (location.hash = address) };
  leave = (name === 'streams' && rest.length ? showStream : PAGES[name])(place, context);
}

/** @param {string} part */
function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Begins when the server has said who it is; asks for credentials if it wants some. */
async function begin() {
  try {
    await client.begin();
    enter();
  } catch (error) {
    const { status, message } = /** @type {import('./client.js').CallError} */ (error);
    if (status === 401 || status === 403) return askWho(client.signedIn || status === 403 ? message : '');
    if (status !== 0) trouble(message);
    throw error;
  }
}

function enter() {
  setState('ready');
  const { caller, callerRole, node } = client.self;
  setText(byId('who'), caller ? `${caller}, ${callerRole}` : node);
  byId('sign-out').hidden = !client.signedIn;
  byId('who').hidden = false;
  byId('tab-load').hidden = !client.may('admin');
  show();
}

/** @param {string} reason */
function askWho(reason) {
  leave();
  leave = () => {};
  byId('page').replaceChildren();
  byId('trouble').hidden = true;
  setState('sign-in');
  byId('who').hidden = true;
  byId('sign-out').hidden = true;
  byId('wrong').hidden = !reason;
  setText(byId('wrong'), reason);
  byId('user').focus();
}

byId('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  const [user, password] = ['user', 'password'].map((id) => /** @type {HTMLInputElement} */ (byId(id)));
  const button = /** @type {HTMLButtonElement} */ (byId('sign-in').querySelector('button'));
  button.disabled = true;
  byId('wrong').hidden = true;
  try {
    await (user.value ? client.signInAs(user.value, password.value) : client.signInWith(password.value));
    password.value = '';
    enter();
  } catch (error) {
    byId('wrong').hidden = false;
    const { status, message } = /** @type {import('./client.js').CallError} */ (error);
    setText(byId('wrong'), status === 401 ? 'That is not right. Look at name and password, or at the token.' : message);
    password.select();
  }
  button.disabled = false;
});

byId('sign-out').addEventListener('click', () => client.signOut());
client.addEventListener('signin', (event) => askWho(/** @type {CustomEvent} */ (event).detail));

// Pages go on asking by themselves; before there is one, this does.
client.addEventListener('lost', () => {
  document.body.dataset.lost = '';
  byId('lost').hidden = false;
  byId('trouble').hidden = true;
});
client.addEventListener('found', () => {
  delete document.body.dataset.lost;
  byId('lost').hidden = true;
  if (document.body.dataset.state === 'ready') client.begin().catch(() => {}); // it may be another by now
});

addEventListener('hashchange', () => {
  show();
  byId('main').focus({ preventScroll: true });
  scrollTo(0, 0);
});

const starting = repeat(async () => {
  if (document.body.dataset.state === 'loading') await begin().catch(() => {});
  if (document.body.dataset.state !== 'loading') starting.stop();
}, RETRY_MS);
