/**
 * What load is to be sent: from which servers, to which, by what, how much.
 */
import { element, setText } from '../../dom.js';
import * as format from '../../format.js';
import { numbered, targetOf, tasksOf, WHAT } from './model.js';

/** @typedef {{node: string, media: string, own: boolean}} Server  `media` is empty where it is not known */

const ELSEWHERE = '';
const SIZES = [[320, 180, 300_000], [640, 360, 800_000], [1280, 720, 2_000_000], [1920, 1080, 4_500_000]];

/** @param {string} text @param {HTMLElement} field @param {string} [kind] */
const label = (text, field, kind = '') => element('label', { class: `field tall ${kind}`.trim() }, element('span', {}, text), field);

/** @param {string} name @param {Record<string, string>} [more] */
const input = (name, more = {}) => /** @type {HTMLInputElement} */ (element('input', { name, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', ...more }));

/** @param {string} name @param {[string, string][]} options */
const select = (name, options) => /** @type {HTMLSelectElement} */ (element('select', { name }, ...options.map(([value, text]) => element('option', { value }, text))));

/** @param {string} name @param {number} value @param {number} min @param {Record<string, string>} [more] */
function number(name, value, min, more = {}) {
  const field = input(name, { type: 'number', min: String(min), step: 'any', inputmode: 'decimal', required: '', ...more });
  field.value = String(value);
  return field;
}

/** A name that nobody has yet. */
const freshName = () => `run-${new Date().toISOString().slice(5, 19).replaceAll(':', '').replace('T', '-')}`;

/** Agents that do the same. */
class TaskFields {
  #what = select('what', []);
  #protocol = select('protocol', []);
  #stream = input('stream', { list: 'load-streams', required: '' });
  #url = input('url', { inputmode: 'url', placeholder: 'http://host:8080/{name}/whep, ws://host:8080…' });
  #count = number('count', 10, 1, { step: '1' });
  #rate = number('rate', 10, 0.1);
  #churn = number('churn', 0, 0);
  #start = number('start', 0, 0);
  #shown = element('p', { class: 'note', 'data-shown': 'target' });
  #urlLabel = label('Address', this.#url, 'wide');
  #protocolLabel = label('By', this.#protocol);
  #streamLabel = label('Stream', this.#stream);
  remove = element('button', { type: 'button', class: 'button plain small' }, 'Remove');
  element;
  /** @type {import('./model.js').Kind[]} */
  #kinds = [];
  #media = '';

  constructor() {
    this.element = element(
      'fieldset',
      { class: 'task' },
      element('legend', {}, 'Agents'),
      label('Do', this.#what), this.#protocolLabel, this.#urlLabel, this.#streamLabel,
      label('How many', this.#count), label('Come per second', this.#rate), label('Replaced per second', this.#churn), label('First after, s', this.#start),
      this.#shown, this.remove,
    );
    this.#what.addEventListener('change', () => this.#choose());
    this.element.addEventListener('input', () => this.#show());
  }

  get what() {
    return this.#what.value;
  }

  /** @param {import('./model.js').Kind[]} kinds @param {string} [what] */
  setKinds(kinds, what) {
    this.#kinds = kinds;
    const wanted = what ?? this.#what.value;
    const all = [...new Set(kinds.map(({ what }) => what))];
    this.#what.replaceChildren(...all.map((what) => element('option', { value: what }, WHAT[what] ?? what)));
    this.#what.value = all.includes(wanted) ? wanted : all[0] ?? '';
    this.#choose();
  }

  /** @param {string} media where the target is reached; nothing if it is typed */
  setMedia(media) {
    this.#media = media;
    this.#show();
  }

  #choose() {
    const before = this.#protocol.value;
    const fitting = this.#kinds.filter(({ what }) => what === this.what).map(({ protocol }) => protocol);
    this.#protocol.replaceChildren(...fitting.map((protocol) => element('option', { value: protocol }, protocol)));
    this.#protocol.value = fitting.includes(before) ? before : fitting[0] ?? '';
    if (this.what !== 'play' && !this.#stream.value) this.#stream.value = 'load-{i}';
    this.#show();
  }

  get #kind() {
    return this.#kinds.find(({ what, protocol }) => what === this.what && protocol === this.#protocol.value);
  }

  #show() {
    const isTyped = this.#media === '';
    const isBare = this.what === 'websocket';
    this.#urlLabel.hidden = !isTyped;
    this.#url.required = isTyped;
    this.#protocolLabel.hidden = isTyped;
    // In an address that is typed the name stands already, but for the session protocol's.
    const takesName = !isBare && (!isTyped || /^wss?:\/\/[^/]*\/?(\?.*)?$/i.test(this.#url.value.trim()));
    this.#streamLabel.hidden = !takesName;
    this.#stream.required = takesName;
    const order = this.order();
    setText(this.#shown, order ? `${order.target}${order.stream ? `, stream ${order.stream}` : ''}` : '');
  }

  /** The task for the API, or null where it is not whole yet. @param {number} [servers] that its agents run on */
  order(servers = 1) {
    const [what, count] = [this.what, Math.round(Number(this.#count.value))];
    const name = numbered(what, this.#stream.value.trim(), count * servers);
    const kind = this.#kind;
    let target = this.#url.value.trim();
    let stream = this.#streamLabel.hidden ? '' : name;
    if (this.#media) {
      if (!kind || (what !== 'websocket' && !name)) return null;
      target = targetOf(kind, this.#media, name);
      if (!kind.takesStream) stream = '';
    }
    if (!target) return null;
    const churn = Number(this.#churn.value);
    const start = Number(this.#start.value);
    const hls = this.#media && kind?.lowLatency !== undefined ? { hls: { lowLatency: kind.lowLatency } } : {};
    return { what, target, count, rate: Number(this.#rate.value), ...hls, ...(stream ? { stream } : {}), ...(churn ? { churn } : {}), ...(start ? { startS: start } : {}) };
  }
}

/**
 * The form.
 * @param {object} given
 * @param {Server[]} given.servers
 * @param {(node: string) => Promise<any>} given.abilities   of a server's agents
 * @param {(node: string) => Promise<string[]>} given.streams  names of a server's streams
 * @param {(order: any, nodes: string[], target: string) => Promise<void>} given.start  throws what the user is to read
 */
export function form({ servers, abilities, streams, start }) {
  const name = input('name', { required: '', pattern: '[A-Za-z0-9._\\-]{1,64}', title: 'At most 64 letters, digits, points, lines and underscores' });
  name.value = freshName();
  const boxes = servers.map(({ node, own }) => {
    const box = input('from', { type: 'checkbox', value: node });
    box.checked = own;
    return { node, box, element: element('label', { class: 'tick' }, box, element('span', {}, own ? `${node} (this server)` : node)) };
  });
  const target = select('target', [...servers.filter(({ media }) => media).map(({ node, own }) => /** @type {[string, string]} */ ([node, own ? `${node} (this server)` : node])), [ELSEWHERE, 'Another address…']]);
  target.value = (servers.find(({ own, media }) => !own && media) ?? servers.find(({ media }) => media))?.node ?? ELSEWHERE;
  const hold = number('hold', 30, 0);
  const token = input('token', { type: 'password', autocomplete: 'new-password', placeholder: 'optional' });
  const size = select('size', SIZES.map(([width, height, bits]) => [`${width}×${height}`, `${width}×${height}, ${format.bitrate(bits)}`]));
  size.value = '640×360';
  const bound = (/** @type {string} */ key, /** @type {string} */ text, more = {}) => ({ key, text, field: input(key, { type: 'number', min: '0', step: 'any', inputmode: 'decimal', placeholder: 'not looked at', ...more }) });
  const bounds = [
    bound('failedMax', 'Agents that fail, at most', { step: '1' }),
    bound('lossMax', 'Share of packets lost, at most (0 to 1)', { max: '1' }),
    bound('freezesMax', 'Freezes, at most', { step: '1' }),
    bound('latencyP99Ms', 'Latency of 99 pictures in 100, at most ms'),
    bound('firstPictureP95Ms', 'First picture for 95 in 100, at most ms'),
  ];
  const streamList = element('datalist', { id: 'load-streams' });
  const places = element('div', { class: 'stack' });
  const more = element('button', { type: 'button', class: 'button plain small' }, 'Add other agents');
  const allowed = element('p', { class: 'note' });
  const wrong = element('p', { class: 'trouble', role: 'alert', hidden: '' });
  const submit = /** @type {HTMLButtonElement} */ (element('button', { type: 'submit', class: 'button' }, 'Start'));
  const made = /** @type {HTMLFormElement} */ (
    element(
      'form',
      { class: 'card load-form', 'aria-label': 'New run' },
      element('fieldset', { class: 'ticks' }, element('legend', {}, 'Agents run on, so many on each'), ...boxes.map(({ element }) => element)),
      element('div', { class: 'form plain' }, label('Target', target), label('Name of the run', name), label('All stay for, s', hold)),
      places,
      element('div', { class: 'actions' }, more),
      element(
        'details',
        {},
        element('summary', {}, 'Picture, token and bounds'),
        element('div', { class: 'form plain' }, label('Publishers send', size), label('Token for the target', token), ...bounds.map(({ text, field }) => label(text, field))),
      ),
      allowed,
      wrong,
      element('div', { class: 'actions' }, submit),
      streamList,
    )
  );

  /** @type {TaskFields[]} */
  const tasks = [];
  /** @type {any} */
  let able = null;

  const complain = (/** @type {string} */ text) => {
    wrong.hidden = !text;
    setText(wrong, text);
  };
  const media = () => servers.find(({ node }) => node === target.value)?.media ?? '';
  const from = () => boxes.filter(({ box }) => box.checked).map(({ node }) => node);

  /** @param {string} [what] */
  function addTask(what) {
    const task = new TaskFields();
    tasks.push(task);
    task.remove.addEventListener('click', () => {
      tasks.splice(tasks.indexOf(task), 1);
      task.element.remove();
      renumber();
      more.focus();
    });
    if (able) task.setKinds(able.kinds, what);
    task.setMedia(media());
    places.append(task.element);
    renumber();
  }

  function renumber() {
    tasks.forEach((task, index) => {
      setText(/** @type {Element} */ (task.element.firstElementChild), tasks.length > 1 ? `Agents ${index + 1}` : 'Agents');
      task.remove.setAttribute('aria-label', `Remove agents ${index + 1}`);
      task.remove.hidden = tasks.length < 2;
    });
    more.hidden = tasks.length >= 4;
  }

  /** What the first of the servers can do; all run the same program. */
  async function ask() {
    const node = from()[0];
    if (!node) return;
    try {
      able = await abilities(node);
      tasks.forEach((task) => task.setKinds(able.kinds));
      submit.disabled = able.allowed.length === 0;
      setText(allowed, able.allowed.length ? `Agents of ${node} may go to ${able.allowed.join(', ')}. Send load only to servers that are yours.` : `${node} sends no load anywhere: an operator has to name hosts, addresses or networks by allowed below [load] in its configuration.`);
      allowed.dataset.kind = able.allowed.length ? '' : 'bad';
    } catch (error) {
      setText(allowed, `${node} does not say what its agents can do: ${/** @type {Error} */ (error).message}`);
      allowed.dataset.kind = 'bad';
    }
  }

  async function aim() {
    tasks.forEach((task) => task.setMedia(media()));
    const names = target.value === ELSEWHERE ? [] : await streams(target.value).catch(() => []);
    streamList.replaceChildren(...names.map((value) => element('option', { value })));
  }

  more.addEventListener('click', () => addTask());
  boxes.forEach(({ box }) => box.addEventListener('change', ask));
  target.addEventListener('change', aim);
  made.addEventListener('submit', async (event) => {
    event.preventDefault();
    complain('');
    const nodes = from();
    if (nodes.length === 0) return complain('Choose a server for the agents to run on.');
    const orders = tasks.map((task) => task.order(nodes.length));
    if (orders.some((order) => order === null)) return complain('Some agents have no address or no stream yet.');
    submit.disabled = true;
    const [width, height, bitrate] = SIZES[size.selectedIndex];
    const expect = Object.fromEntries(bounds.filter(({ field }) => field.value !== '').map(({ key, field }) => [key, Number(field.value)]));
    const order = (/** @type {number} */ index) => ({
      uri: `load://${name.value}`,
      holdS: Number(hold.value),
      tasks: tasksOf(orders, index).map((task) => (token.value ? { ...task, token: token.value } : task)),
      ...(orders.some((task) => task?.what === 'publish' || task?.what === 'pairs') ? { source: { width, height, frameRate: 30, bitrate } } : {}),
      ...(Object.keys(expect).length ? { expect } : {}),
    });
    try {
      await start(order, nodes, target.value);
    } catch (error) {
      complain(/** @type {Error} */ (error).message);
      wrong.scrollIntoView({ block: 'nearest' });
    }
    submit.disabled = able?.allowed.length === 0;
  });

  addTask('play');
  ask();
  aim();
  return made;
}
