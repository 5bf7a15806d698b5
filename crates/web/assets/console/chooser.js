/**
 * Which server a list is of.
 */
import { element } from '../dom.js';

/**
 * A choice of servers; it is not shown where there is one alone.
 * @param {import('./main.js').Context} context
 * @param {(node: string) => void} onchange
 */
export function chooser({ client, query }, onchange) {
  const wanted = query.get('on') ?? client.self?.node ?? '';
  const select = /** @type {HTMLSelectElement} */ (element('select', { 'aria-label': 'Server' }));
  const place = element('label', { class: 'field', hidden: '' }, element('span', {}, 'On'), select);
  select.append(element('option', { value: wanted }, wanted));
  client
    .call('cdn/show_nodes', {}, { empty: [] })
    .then((nodes) => {
      const living = nodes.filter((/** @type {any} */ node) => node.globalState === 'ACTIVE').map((/** @type {any} */ node) => node.id);
      const names = [...new Set([client.self?.node, ...living.sort(), wanted])].filter(Boolean);
      select.replaceChildren(...names.map((name) => element('option', { value: name }, name === client.self?.node ? `${name} (this server)` : name)));
      select.value = wanted;
      place.hidden = names.length < 2;
    })
    .catch(() => {}); // the list below says what is wrong
  select.addEventListener('change', () => onchange(select.value));
  return { element: place, get node() { return select.value; } };
}

/**
 * A field to choose from a few; the first stands for all.
 * @param {string} label @param {[string, string][]} options @param {string} value @param {(value: string) => void} onchange
 */
export function choice(label, options, value, onchange) {
  const select = /** @type {HTMLSelectElement} */ (element('select', { 'aria-label': label }, ...options.map(([value, text]) => element('option', { value }, text))));
  select.value = value;
  select.addEventListener('change', () => onchange(select.value));
  return select;
}

const TYPING_MS = 250;

/** A field to search by. @param {string} label @param {string} value @param {(value: string) => void} onchange */
export function searchField(label, value, onchange) {
  const input = /** @type {HTMLInputElement} */ (element('input', { type: 'search', placeholder: label, 'aria-label': label, autocomplete: 'off', spellcheck: 'false' }));
  input.value = value;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => onchange(input.value.trim()), TYPING_MS);
  });
  return input;
}

/** What publishers and viewers may speak. @type {[string, string][]} */
export const PROTOCOLS = [['', 'All protocols'], ...['WebRTC', 'RTMP', 'HTTP-FLV', 'HLS', 'DASH', 'MSE', 'WSPlayer'].map((name) => /** @type {[string, string]} */ ([name, name]))];
