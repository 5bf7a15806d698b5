/**
 * The example player: a stream, how it is played, and what is measured.
 */
import { liveStreams, playerAddress } from './api.js';
import { byId, element, setText } from './dom.js';
import { Quality } from './quality.js';
import { createSession } from './sdk/headwater.js';
import { follow, nameField } from './studio.js';

/** One for each way that this page plays. */
const sessions = { session: createSession(), whip: createSession({ transport: 'whip' }) };
const name = /** @type {HTMLInputElement} */ (byId('name'));
const technology = /** @type {HTMLSelectElement} */ (byId('technology'));
const mute = /** @type {HTMLButtonElement} */ (byId('mute-sound'));
/** @type {import('./sdk/headwater.d.ts').Stream|null} */
let stream = null;
const video = /** @type {HTMLVideoElement} */ (byId('video'));
const quality = new Quality(byId('quality'), byId('quality-field'), video, choose);
/** The size that the visitor chose, for as long as the page is open. */
let chosen = 'auto';
/** The browser took the sound away, not the visitor. */
let blocked = false;

async function play() {
  blocked = false;
  const session = sessions[/** @type {'session'|'whip'} */ (technology.value)];
  stream = session.createStream({ name: name.value.trim(), display: video, wait: true });
  follow(stream, byId('player'));
  for (const type of ['state', 'mute']) stream.addEventListener(type, show);
  const mine = stream;
  stream.addEventListener('state', () => (mine.state === 'playing' ? quality.begin(chosen) : quality.end()));
  stream.addEventListener('blocked', () => (blocked = true, show()));
  await stream.play().catch(() => {}); // the card tells it
}

/** Lists the sizes, after choosing one if it is named. @param {string} [label] */
async function choose(label) {
  if (label) await stream?.setRendition(label);
  chosen = label ?? chosen;
  return (await stream?.renditions()) ?? [];
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
  const here = technology.value in sessions;
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
