/**
 * The example player: a stream, how it is played, and what is measured.
 */
import { liveStreams, playerAddress } from './api.js';
import { byId, element, setText } from './dom.js';
import { createSession } from './sdk/headwater.js';
import { follow, nameField } from './studio.js';

const session = createSession();
const name = /** @type {HTMLInputElement} */ (byId('name'));
const technology = /** @type {HTMLSelectElement} */ (byId('technology'));
const mute = /** @type {HTMLButtonElement} */ (byId('mute-sound'));
/** @type {import('./sdk/headwater.d.ts').Stream|null} */
let stream = null;
/** The browser took the sound away, not the visitor. */
let blocked = false;

async function play() {
  blocked = false;
  stream = session.createStream({ name: name.value.trim(), display: byId('video'), wait: true });
  follow(stream, byId('player'));
  for (const type of ['state', 'mute']) stream.addEventListener(type, show);
  stream.addEventListener('blocked', () => (blocked = true, show()));
  await stream.play().catch(() => {}); // the card tells it
}

function show() {
  const running = Boolean(stream?.running);
  setText(byId('play'), running ? 'Stop' : 'Play');
  byId('play').classList.toggle('stop', running);
  name.disabled = technology.disabled = running;
  mute.disabled = !running;
  mute.setAttribute('aria-pressed', String(running && Boolean(stream?.audioMuted)));
  byId('tap').hidden = !(blocked && stream?.state === 'playing' && stream.audioMuted);
}

/** Where other programs find the stream. */
function showAddress() {
  const named = name.value.trim() || 'NAME';
  const here = technology.value === 'webrtc';
  byId('here').hidden = !here;
  byId('elsewhere').hidden = here;
  setText(byId('address'), technology.value === 'rtmp' ? `rtmp://${location.hostname}/live/${named}` : `${location.origin}/${named}.flv`);
  byId('own-page').setAttribute('href', playerAddress(named));
}

async function copy() {
  try {
    await navigator.clipboard.writeText(byId('address').textContent ?? '');
    setText(byId('copy'), 'Copied');
  } catch {
    getSelection()?.selectAllChildren(byId('address'));
    setText(byId('copy'), 'Press Ctrl+C');
  }
  setTimeout(() => setText(byId('copy'), 'Copy'), 2000);
}

/** Offers what is live by name. */
async function listStreams() {
  const streams = await liveStreams().catch(() => []);
  byId('names').replaceChildren(...streams.map((one) => element('option', { value: one.name })));
  if (!name.value && streams.length) name.value = streams[0].name;
  showAddress();
}

const toggleSound = () => (stream?.audioMuted ? stream.unmuteAudio() : stream?.muteAudio());
nameField(name, 'watch.name', '');
byId('form').addEventListener('submit', (event) => (event.preventDefault(), stream?.running ? stream.stop() : play()));
for (const id of ['mute-sound', 'tap']) byId(id).addEventListener('click', toggleSound);
byId('copy').addEventListener('click', copy);
for (const input of [name, technology]) input.addEventListener('input', showAddress);
name.addEventListener('focus', listStreams);
listStreams();
show();
