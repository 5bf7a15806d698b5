/**
 * A small player for one stream, with the credentials of whoever signed in.
 */
import { element, setText } from '../dom.js';
import { whepAddress } from '../api.js';

/** @param {import('./client.js').Client} client @param {string} name */
export function preview(client, name) {
  const video = /** @type {HTMLVideoElement} */ (element('video', { playsinline: '', controls: '' }));
  video.muted = true;
  video.autoplay = true;
  const words = element('p', { class: 'summary', role: 'status' }, 'Connecting…');
  const place = element('div', { class: 'preview' }, video, words);
  /** @type {any} */
  let player = null;
  let closed = false;
  const fail = (/** @type {any} */ error) => closed || setText(words, `It does not play here: ${error?.message || error}`);
  const start = async () => {
    const { WhepClient } = await import('../sdk/whep.js');
    if (closed) return;
    player = new WhepClient(whepAddress(name), { authorization: client.authorization || undefined });
    player.addEventListener('lost', (/** @type {CustomEvent} */ event) => fail(event.detail));
    video.srcObject = await player.start();
    await video.play().catch(() => {});
  };
  video.addEventListener('playing', () => setText(words, ''));
  start().catch(fail);
  return {
    element: place,
    close: () => {
      closed = true;
      player?.stop();
      video.srcObject = null;
      place.remove();
    },
  };
}
