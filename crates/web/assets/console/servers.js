/**
 * The servers of the network, live: how busy each is, and what it carries.
 */
import { element, setText } from '../dom.js';
import * as format from '../format.js';
import { Sparkline } from './chart.js';
import { History, bytes, percent } from './figures.js';
import { repeat } from './poll.js';
import { confirmAndDo } from './dialogs.js';

const REFRESH_MS = 2000;
/** So many servers are asked at once. */
const ASKED_AT_ONCE = 6;

/**
 * @typedef {object} Server
 * @property {string} id
 * @property {string} role
 * @property {boolean} active
 * @property {boolean} draining
 * @property {boolean} own
 * @property {string} version
 * @property {string[]} groups
 * @property {any} told      what the network says of it
 * @property {any} figures   what it says of itself, or null
 * @property {string} problem
 */

/**
 * All servers: this one first.
 * @param {import('./client.js').Client} client
 * @param {AbortSignal} signal
 * @returns {Promise<Server[]>}
 */
export async function servers(client, signal) {
  const [self, nodes] = await Promise.all([client.begin(), client.call('cdn/show_nodes', {}, { signal, empty: [] })]);
  const others = nodes.map((/** @type {any} */ node) => ({
    id: node.id,
    role: node.role,
    active: node.globalState === 'ACTIVE',
    draining: node.processingState !== 'NEW_STREAMS_ALLOWED',
    own: false,
    version: node.version,
    groups: node.groups ?? [],
    told: node,
    figures: null,
    problem: '',
  }));
  // Those that are gone stand last.
  others.sort((/** @type {Server} */ a, /** @type {Server} */ b) => Number(b.active) - Number(a.active) || a.id.localeCompare(b.id, 'en', { numeric: true }));
  return [{ id: self.node, role: self.role, active: true, draining: false, own: true, version: self.version, groups: [], told: null, figures: self, problem: '' }, ...others];
}

/** @param {import('./client.js').Client} client @param {Server[]} list @param {AbortSignal} signal */
async function askAll(client, list, signal) {
  const waiting = list.filter(({ own, active }) => !own && active);
  const ask = async () => {
    for (let server = waiting.shift(); server; server = waiting.shift()) {
      try {
        server.figures = await client.call('node/figures', {}, { node: server.id, signal });
      } catch (error) {
        if (signal.aborted) return;
        server.problem = /** @type {Error} */ (error).message;
      }
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, ask));
}

/** @param {HTMLElement} place @param {import('./main.js').Context} context */
export function showServers(place, { client, trouble }) {
  const summary = element('p', { class: 'summary' });
  const cards = element('ul', { class: 'servers', 'aria-label': 'Servers' });
  place.append(element('div', { class: 'heading' }, element('h1', {}, 'Servers'), summary), cards);
  /** @type {Map<string, Card>} */
  const shown = new Map();

  const polling = repeat(async (signal) => {
    try {
      const list = await servers(client, signal);
      await askAll(client, list, signal);
      if (signal.aborted) return;
      show(list);
      trouble('');
    } catch (error) {
      if (!signal.aborted) trouble(/** @type {Error} */ (error).message);
    }
  }, REFRESH_MS);

  /** @param {Server[]} list */
  function show(list) {
    list.forEach((server, index) => {
      let card = shown.get(server.id);
      if (!card) shown.set(server.id, (card = new Card(client, () => polling.now())));
      card.update(server);
      if (cards.children[index] !== card.element) cards.insertBefore(card.element, cards.children[index] ?? null);
    });
    const ids = new Set(list.map(({ id }) => id));
    for (const [id, card] of shown) {
      if (ids.has(id)) continue;
      card.element.remove();
      shown.delete(id);
    }
    const all = list.map(({ id }) => /** @type {Card} */ (shown.get(id)).history.last);
    const total = (/** @type {'streams'|'viewers'|'in'|'out'} */ name) => all.reduce((sum, sample) => sum + (sample?.[name] ?? 0), 0);
    const traffic = total('out') > 0 ? `${format.bitrate(total('out'))} out` : '';
    setText(summary, [format.count(list.length, 'server', 'servers'), format.count(total('streams'), 'stream', 'streams'), format.count(total('viewers'), 'viewer', 'viewers'), traffic].filter(Boolean).join(' · '));
  }

  return () => polling.stop();
}

class Card {
  history = new History();
  #name = element('h2');
  #badges = element('span', { class: 'badges' });
  #state = element('p', { class: 'state' });
  #note = element('p', { class: 'note', hidden: '' });
  #cpu = new Measure('CPU');
  #out = new Measure('Out');
  #facts = element('dl', { class: 'facts' });
  #links = element('p', { class: 'links' });
  #forget = element('button', { type: 'button', class: 'button plain small', hidden: '' }, 'Forget');
  element = element('li', { class: 'card server' });
  #id = '';

  /** @param {import('./client.js').Client} client @param {() => void} changed */
  constructor(client, changed) {
    this.element.append(
      element('div', { class: 'card-head' }, this.#name, this.#badges, this.#state),
      this.#note,
      element('div', { class: 'measures' }, this.#cpu.element, this.#out.element),
      this.#facts,
      this.#links,
      this.#forget,
    );
    this.#forget.addEventListener('click', async () => {
      const question = { title: `Forget ${this.#id}?`, text: 'It leaves the list. If it comes back, it is taken back.', action: 'Forget', done: `${this.#id} is forgotten.` };
      if (await confirmAndDo(question, () => client.call('cdn/remove_node', { nodeId: this.#id }))) changed();
    });
    this.mayForget = () => client.may('operator');
  }

  /** @param {Server} server */
  update(server) {
    this.#id = server.id;
    this.element.dataset.server = server.id;
    this.element.dataset.active = String(server.active);
    if (server.figures) this.history.add(server.figures);
    const { last } = this.history;
    setText(this.#name, server.id);
    const badges = [title(server.role), ...(server.own ? ['this server'] : []), ...(server.told?.passesOn ? ['passes on'] : []), ...server.groups, ...(server.version ? [`v${server.version}`] : [])];
    if (this.#badges.dataset.shown !== badges.join('|')) {
      this.#badges.dataset.shown = badges.join('|');
      this.#badges.replaceChildren(...badges.map((text) => element('span', { class: 'badge' }, text)));
    }
    this.#state.dataset.state = !server.active ? 'gone' : server.draining ? 'draining' : 'active';
    setText(this.#state, !server.active ? 'Gone' : server.draining ? 'Takes nobody new' : 'Active');
    setText(this.#note, server.problem ? `Only what the network tells is shown: ${server.problem}` : '');
    this.#note.hidden = !server.problem;
    const isKnown = server.figures !== null;
    const { samples } = this.history;
    this.#cpu.update(isKnown ? percent(last?.cpu, 1) : percent(server.told?.cpuPercent, 1), samples.map(({ cpu }) => cpu), 10);
    this.#out.update(isKnown ? rate(last?.out) : '', samples.map(({ out }) => out));
    pairs(this.#facts, [
      ['Streams', isKnown ? format.number(last?.streams ?? 0) : format.number(server.told?.streams ?? 0)],
      ['Viewers', isKnown ? format.number(last?.viewers ?? 0) : format.number(server.told?.viewers ?? 0)],
      ['Pages', isKnown ? format.number(last?.clients ?? 0) : ''],
      ['In', isKnown ? rate(last?.in) : ''],
      ['Memory', isKnown ? bytes(last?.memory ?? 0) : ''],
      ['Up for', isKnown ? format.duration(server.figures.uptimeMs / 1000) : ''],
    ]);
    if (server.active && !this.#links.children.length) {
      const of = `?on=${encodeURIComponent(server.id)}`;
      this.#links.replaceChildren(
        ...['Streams', 'Sessions', 'Relays'].map((name) => element('a', { href: `#/${name.toLowerCase()}${of}`, 'aria-label': `${name} of ${server.id}` }, name)),
      );
    }
    this.#links.hidden = !server.active;
    this.#forget.hidden = server.active || !this.mayForget();
  }
}

/** A figure with its last minutes. */
class Measure {
  #value = element('strong');
  #line = new Sparkline();
  element;

  /** @param {string} name */
  constructor(name) {
    this.element = element('div', { class: 'measure' }, element('span', {}, name), this.#value, this.#line.element);
  }

  /** @param {string} value @param {(number|null)[]} values @param {number} [ceiling] */
  update(value, values, ceiling) {
    setText(this.#value, value || '–');
    this.#line.update(values, ceiling);
  }
}

/** @param {number|null|undefined} bits */
const rate = (bits) => (bits ? format.bitrate(bits) : bits === 0 ? '0 kbit/s' : '');

/** @param {string} role */
const title = (role) => role.charAt(0) + role.slice(1).toLowerCase();

/** @param {HTMLElement} list @param {[string, string][]} all */
function pairs(list, all) {
  all.forEach(([term, value], index) => {
    if (!list.children[index]) list.append(element('div', {}, element('dt', {}, term), element('dd')));
    const row = /** @type {HTMLElement} */ (list.children[index]);
    setText(/** @type {Element} */ (row.lastElementChild), value || '–');
  });
}
