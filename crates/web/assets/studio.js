/**
 * What the pages that show the Web SDK have in common: a stream's state, quality and errors in words, device lists.
 */
import { element, recall, remember, setPairs, setText } from './dom.js';
import * as format from './format.js';
import { devices } from './sdk/headwater.js';

/** @typedef {import('./sdk/headwater.d.ts').Stream} Stream */

/** @type {Record<string, string>} */
const STATES = {
  idle: 'Off',
  connecting: 'Connecting…',
  publishing: 'Live',
  playing: 'Playing',
  reconnecting: 'Reconnecting…',
  stopped: 'Stopped',
  failed: 'Failed',
};

/**
 * Shows a stream in a card: the parts with `data-part` `state`, `curtain`, `trouble`, `health` and `numbers`, and `data-state`.
 * @param {Stream} stream
 * @param {HTMLElement} card
 */
export function follow(stream, card) {
  const part = (/** @type {string} */ name) => /** @type {HTMLElement|null} */ (card.querySelector(`[data-part="${name}"]`));
  const show = () => {
    card.dataset.state = stream.state;
    const words = part('state');
    if (words) setText(words, STATES[stream.state]);
    tell(card, stream.state === 'failed' ? stream.error : null);
    const curtain = part('curtain');
    if (curtain) {
      curtain.dataset.usual ??= curtain.textContent ?? '';
      const waits = stream.running && stream.error;
      setText(curtain, waits ? `${stream.error?.message} Trying again…` : stream.running ? '' : curtain.dataset.usual);
    }
    card.querySelector('video')?.toggleAttribute('data-shown', stream.running && stream.media.getVideoTracks().length > 0);
    measure();
  };
  const measure = () => {
    const live = stream.state === 'publishing' || stream.state === 'playing';
    const health = part('health');
    if (health) showQuality(health, live && stream.stats ? stream.quality : null);
    const numbers = part('numbers');
    if (numbers) setPairs(numbers, live ? pairs(stream.stats) : []);
  };
  stream.addEventListener('state', show);
  stream.addEventListener('stats', measure);
  stream.addEventListener('problem', ({ detail }) => tell(card, detail));
  stream.media.addEventListener('addtrack', show);
  show();
}

/**
 * Says what went wrong and what to do about it.
 * @param {HTMLElement} card
 * @param {{message: string, advice?: string}|null} error
 */
export function tell(card, error) {
  const place = /** @type {HTMLElement} */ (card.querySelector('[data-part="trouble"]'));
  place.hidden = !error;
  place.replaceChildren(...(error ? [element('strong', {}, error.message), error.advice ?? ''] : []));
}

/**
 * @param {HTMLElement} place
 * @param {import('./sdk/headwater.d.ts').Quality|null} quality
 */
function showQuality(place, quality) {
  place.hidden = !quality;
  if (!quality) return;
  if (!place.firstChild) {
    const bars = element('span', { class: 'quality', 'aria-hidden': 'true' }, ...[1, 2, 3, 4].map(() => element('i')));
    place.append(bars, element('span'), element('span', { class: 'muted' }));
  }
  const [bars, word, reason] = /** @type {HTMLElement[]} */ ([...place.children]);
  bars.dataset.level = String(quality.level);
  setText(word, `Connection ${quality.word}`);
  setText(reason, quality.reason);
}

/**
 * @param {import('./sdk/headwater.d.ts').Stats|null} stats
 * @returns {[string, string][]}
 */
function pairs(stats) {
  if (!stats) return [];
  const { video, audio } = stats;
  return [
    ['Picture', [format.codec(video?.codec), format.size(video?.width, video?.height)].filter(Boolean).join(' ')],
    ['Frame rate', format.frameRate(video?.fps)],
    ['Bitrate', format.bitrate(stats.bitrate)],
    ['Sound', format.codec(audio?.codec)],
    ['Round trip', format.milliseconds(stats.rttMs)],
    ['Loss', stats.lossPercent === null ? '' : `${format.number(stats.lossPercent, 1)} %`],
    ['Transport', stats.transport],
  ];
}

/**
 * A field for the name of a stream: from `?name=` in the address, else as last time, else a usual one.
 * @param {HTMLInputElement} input
 * @param {string} key
 * @param {string} usual
 */
export function nameField(input, key, usual) {
  input.value = new URLSearchParams(location.search).get('name') ?? recall(key) ?? usual;
  input.addEventListener('change', () => remember(key, input.value));
}

/**
 * Lists cameras and microphones, with their names as soon as the visitor has allowed them; keeps what is chosen.
 * @param {Record<'cameras'|'microphones', HTMLSelectElement>} selects
 */
export async function listDevices(selects) {
  const found = await devices().catch(() => null);
  if (!found) return;
  for (const kind of /** @type {const} */ (['cameras', 'microphones'])) {
    const select = selects[kind];
    const chosen = select.value;
    const options = found[kind].map(({ id, label }) => element('option', { value: id }, label));
    select.replaceChildren(...(options.length ? options : [element('option', { value: '' }, 'Default')]), element('option', { value: 'none' }, 'None'));
    if ([...select.options].some(({ value }) => value === chosen)) select.value = chosen;
  }
}

/**
 * What a device list has chosen, as the SDK takes it.
 * @param {HTMLSelectElement} select
 */
export const wish = ({ value }) => (value === 'none' ? false : value || true);
