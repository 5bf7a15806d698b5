/**
 * Screen sharing: publishes a screen, a window or a tab.
 */
import { playerAddress } from './api.js';
import { byId, setText } from './dom.js';
import { createSession } from './sdk/headwater.js';
import { follow, nameField } from './studio.js';

const field = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (byId(id));
const session = createSession();
/** @type {import('./sdk/headwater.d.ts').Stream|null} */
let stream = null;

async function share() {
  stream = session.createStream({
    name: field('name').value.trim(),
    display: byId('preview'),
    source: 'screen',
    systemAudio: field('system-audio').checked,
    audio: field('microphone').checked,
  });
  follow(stream, byId('publisher'));
  stream.addEventListener('state', show);
  stream.addEventListener('mute', show);
  await stream.publish().catch(() => {}); // the card tells it
}

function show() {
  const running = Boolean(stream?.running);
  setText(byId('share'), running ? 'Stop sharing' : 'Share screen');
  byId('share').classList.toggle('stop', running);
  for (const id of ['name', 'system-audio', 'microphone']) field(id).disabled = running;
  field('mute-sound').disabled = !running || stream?.media.getAudioTracks().length === 0;
  byId('mute-sound').setAttribute('aria-pressed', String(running && Boolean(stream?.audioMuted)));
}

function showAddress() {
  const address = new URL(playerAddress(field('name').value.trim()), location.href).href;
  setText(byId('watch'), address);
  byId('watch').setAttribute('href', address);
}

nameField(field('name'), 'screen.name', 'my-screen');
byId('form').addEventListener('submit', (event) => (event.preventDefault(), stream?.running ? stream.stop() : share()));
byId('mute-sound').addEventListener('click', () => (stream?.audioMuted ? stream.unmuteAudio() : stream?.muteAudio()));
field('name').addEventListener('input', showAddress);
showAddress();
show();
