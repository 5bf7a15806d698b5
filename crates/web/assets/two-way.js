/**
 * Two-way streaming: this page publishes camera and microphone, and plays a stream beside them.
 */
import { byId, setText } from './dom.js';
import { createSession } from './sdk/headwater.js';
import { follow, listDevices, nameField, wish } from './studio.js';

const field = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (byId(id));
const list = (/** @type {string} */ id) => /** @type {HTMLSelectElement} */ (byId(id));

const session = createSession();
const selects = { cameras: list('camera'), microphones: list('microphone') };
/** @type {import('./sdk/headwater.d.ts').Stream|null} */
let mine = null;
/** @type {import('./sdk/headwater.d.ts').Stream|null} */
let theirs = null;
/** The browser took the sound away, not the visitor. */
let blocked = false;

async function publish() {
  mine = session.createStream({
    name: field('my-name').value.trim(),
    display: byId('mine'),
    video: wish(selects.cameras),
    audio: wish(selects.microphones),
  });
  follow(mine, byId('publisher'));
  mine.addEventListener('state', showPublisher);
  mine.addEventListener('mute', showPublisher);
  await mine.publish().catch(() => {}); // the card tells it
  listDevices(selects); // now with their names
}

function showPublisher() {
  const running = Boolean(mine?.running);
  setText(byId('publish'), running ? 'Stop' : 'Publish');
  byId('publish').classList.toggle('stop', running);
  field('my-name').disabled = running;
  for (const [id, muted] of /** @type {const} */ ([['mute-microphone', mine?.audioMuted], ['mute-camera', mine?.videoMuted]])) {
    field(id).disabled = !running;
    byId(id).setAttribute('aria-pressed', String(running && muted));
  }
}

async function play() {
  blocked = false;
  theirs = session.createStream({ name: field('their-name').value.trim(), display: byId('theirs'), wait: true });
  follow(theirs, byId('player'));
  theirs.addEventListener('state', showPlayer);
  theirs.addEventListener('mute', showPlayer);
  theirs.addEventListener('blocked', () => (blocked = true, showPlayer()));
  await theirs.play().catch(() => {}); // the card tells it
}

function showPlayer() {
  const running = Boolean(theirs?.running);
  setText(byId('play'), running ? 'Stop' : 'Play');
  byId('play').classList.toggle('stop', running);
  field('their-name').disabled = running;
  field('mute-sound').disabled = !running;
  byId('mute-sound').setAttribute('aria-pressed', String(running && theirs?.audioMuted));
  byId('tap').hidden = !(blocked && theirs?.state === 'playing' && theirs.audioMuted);
}

/** Another device takes the place of the old while the stream goes on. @param {'useCamera'|'useMicrophone'} use @param {HTMLSelectElement} select */
const change = (use, select) => () => {
  if (mine?.running && select.value !== 'none') mine[use](select.value).catch((error) => mine?.dispatchEvent(new CustomEvent('problem', { detail: error })));
};

nameField(field('my-name'), 'two-way.mine', 'room');
nameField(field('their-name'), 'two-way.theirs', field('my-name').value);
byId('publish-form').addEventListener('submit', (event) => (event.preventDefault(), mine?.running ? mine.stop() : publish()));
byId('play-form').addEventListener('submit', (event) => (event.preventDefault(), theirs?.running ? theirs.stop() : play()));
byId('mute-microphone').addEventListener('click', () => (mine?.audioMuted ? mine.unmuteAudio() : mine?.muteAudio()));
byId('mute-camera').addEventListener('click', () => (mine?.videoMuted ? mine.unmuteVideo() : mine?.muteVideo()));
for (const id of ['mute-sound', 'tap']) byId(id).addEventListener('click', () => (theirs?.audioMuted ? theirs.unmuteAudio() : theirs?.muteAudio()));
selects.cameras.addEventListener('change', change('useCamera', selects.cameras));
selects.microphones.addEventListener('change', change('useMicrophone', selects.microphones));
navigator.mediaDevices?.addEventListener('devicechange', () => listDevices(selects));
listDevices(selects);
showPublisher();
showPlayer();
