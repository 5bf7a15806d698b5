/**
 * Load: runs of agents that try what servers hold; begun here, watched, kept and compared.
 */
import { element, setText } from '../../dom.js';
import * as format from '../../format.js';
import { confirm, say } from '../dialogs.js';
import { repeat } from '../poll.js';
import { Table } from '../table.js';
import { showComparison } from './compare.js';
import { form } from './form.js';
import * as kept from './kept.js';
import { isOver, state, summary } from './model.js';
import { showRun } from './run.js';
import * as words from './words.js';

const REFRESH_MS = 2000;

/** The address of a run's page. @param {string} name @param {string[]} nodes @param {string} [target] */
export const runAddress = (name, nodes, target = '') => `#/load/run/${encodeURIComponent(name)}?${new URLSearchParams({ on: nodes.join(','), ...(target ? { target } : {}) })}`;

/** The address of the page of one that was kept. @param {string} id */
export const keptAddress = (id) => `#/load/kept/${encodeURIComponent(id)}`;

/** @param {HTMLElement} place @param {import('../main.js').Context} context */
export function showLoad(place, context) {
  const [page] = context.rest.split('/');
  if (!context.client.may('admin')) {
    place.append(element('h1', {}, 'Load'), element('p', { class: 'nothing' }, 'Sending load takes the role admin.'));
    return () => {};
  }
  if (page === 'run' || page === 'kept') return showRun(place, context);
  if (page === 'compare') return showComparison(place, context);
  return showRuns(place, context);
}

/**
 * Servers that agents can run on and go to: this one first.
 * @param {import('../client.js').Client} client
 * @returns {Promise<import('./form.js').Server[]>}
 */
async function servers(client) {
  const nodes = (await client.call('cdn/show_nodes', {}, { empty: [] })).filter((/** @type {any} */ node) => node.globalState === 'ACTIVE');
  const own = client.self?.node ?? '';
  // Where this one is reached is known to the others; alone, the page's own address is as good.
  const told = nodes[0] ? await client.call('cdn/show_nodes', {}, { node: nodes[0].id, empty: [] }).catch(() => []) : [];
  const media = told.find((/** @type {any} */ node) => node.id === own)?.media ?? `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`;
  const others = nodes.map((/** @type {any} */ node) => ({ node: node.id, media: node.media ?? '', own: false }));
  return [{ node: own, media, own: true }, ...others.sort((/** @type {any} */ a, /** @type {any} */ b) => a.node.localeCompare(b.node, 'en', { numeric: true }))];
}

/** @typedef {{key: string, title: string, address: string, nodes: string[], state: string, started: number, seconds: number, found: import('./model.js').Found, kept: string}} Row */

/** @param {HTMLElement} place @param {import('../main.js').Context} context */
function showRuns(place, { client, trouble, go }) {
  /** @type {import('./form.js').Server[]} */
  let all = [];
  let closed = false;
  /** Keys of runs that are to be compared. @type {string[]} */
  let chosen = [];
  /** By the key of their run. @type {Map<string, HTMLInputElement>} */
  const boxes = new Map();
  const compareButton = /** @type {HTMLButtonElement} */ (element('button', { type: 'button', class: 'button plain small', disabled: '' }, 'Compare'));
  const empty = element('p', { class: 'nothing', hidden: '' }, 'There is no run yet.');
  const table = new Table('Runs', columns(), (/** @type {Row} */ row) => row.key);
  const formPlace = element('div');
  place.append(
    element('div', { class: 'heading' }, element('h1', {}, 'Load')),
    formPlace,
    element('div', { class: 'heading minor' }, element('h2', {}, 'Runs'), element('div', { class: 'actions' }, element('span', { class: 'summary' }, 'Tick two to compare them.'), compareButton)),
    table.element,
    empty,
  );
  compareButton.addEventListener('click', () => go(`#/load/compare?${new URLSearchParams({ a: chosen[0], b: chosen[1] })}`));

  async function prepare() {
    all = await servers(client);
    if (closed) return;
    formPlace.replaceChildren(
      form({
        servers: all,
        abilities: (node) => client.call('load/abilities', {}, { node }),
        streams: async (node) => (await client.call('stream/page', { published: true, limit: 200 }, { node })).streams.map((/** @type {any} */ stream) => stream.name),
        start,
      }),
    );
  }

  /** @param {(index: number) => any} order @param {string[]} nodes @param {string} target */
  async function start(order, nodes, target) {
    const begun = [];
    for (const [index, node] of nodes.entries()) {
      try {
        await client.call('load/startup', order(index), { node });
        begun.push(node);
      } catch (error) {
        // Half a run would be taken for a whole one.
        await Promise.allSettled(begun.map((node) => client.call('load/terminate', { uri: order(0).uri }, { node })));
        const { message } = /** @type {Error} */ (error);
        throw nodes.length > 1 ? new Error(`${node}: ${message}`) : error;
      }
    }
    go(runAddress(order(0).uri.replace('load://', ''), nodes, target));
  }

  const polling = repeat(async (signal) => {
    try {
      if (!all.length) await prepare();
      const lists = await Promise.all(all.map(({ node }) => client.call('load/find_all', {}, { node, signal }).then((runs) => ({ node, runs }), () => ({ node, runs: [] }))));
      if (!signal.aborted) show(lists);
      trouble('');
    } catch (error) {
      if (!signal.aborted) trouble(/** @type {Error} */ (error).message);
    }
  }, REFRESH_MS);

  /** @param {{node: string, runs: any[]}[]} lists */
  function show(lists) {
    /** @type {Map<string, import('./model.js').Part[]>} */
    const byUri = new Map();
    for (const { node, runs } of lists) {
      for (const run of runs) byUri.set(run.uri, [...(byUri.get(run.uri) ?? []), { node, results: { run, checks: [], series: [] } }]);
    }
    const running = [...byUri].map(([uri, parts]) => {
      const title = uri.replace('load://', '');
      const nodes = parts.map(({ node }) => node);
      return row(`run:${title}@${nodes.join(',')}`, title, runAddress(title, nodes), { name: title, parts, cpu: {}, target: '' }, '');
    });
    const own = kept.list().map(({ id, title, found }) => row(`kept:${id}`, title, keptAddress(id), found, id));
    const rows = [...running, ...own].sort((a, b) => Number(isOver(a.state)) - Number(isOver(b.state)) || b.started - a.started);
    chosen = chosen.filter((key) => rows.some((row) => row.key === key));
    table.update(rows);
    table.element.hidden = rows.length === 0;
    empty.hidden = rows.length > 0;
    compareButton.disabled = chosen.length !== 2;
  }

  /** @param {string} key @param {string} title @param {string} address @param {import('./model.js').Found} found @param {string} id @returns {Row} */
  function row(key, title, address, found, id) {
    const runs = found.parts.map(({ results }) => results.run);
    return { key, title, address, nodes: found.parts.map(({ node }) => node), state: state(found.parts), started: Math.min(...runs.map(({ started }) => started)), seconds: Math.max(...runs.map(({ seconds }) => seconds)), found, kept: id };
  }

  function columns() {
    const figure = (/** @type {string} */ name, /** @type {(value: any) => string} */ text) => (/** @type {Row} */ row) => text(summary(row.found)[name]);
    return [
      { title: 'Run', fill: nameCell },
      { title: 'State', fill: stateCell },
      { title: 'From', text: (/** @type {Row} */ row) => row.nodes.join(', ') },
      { title: 'Agents', number: true, text: (/** @type {Row} */ row) => `${words.count(summary(row.found)[isOver(row.state) ? 'liveMax' : 'live'])} of ${words.count(summary(row.found).count)}` },
      { title: 'Failed', number: true, text: figure('failed', words.count) },
      { title: 'Lost', number: true, text: figure('loss', words.share) },
      { title: 'Latency', number: true, text: figure('latencyP50', words.ms) },
      { title: 'Ran for', number: true, text: (/** @type {Row} */ row) => format.duration(row.seconds) },
      { title: '', fill: actionCell },
    ];
  }

  /** @param {HTMLElement} cell @param {Row} row */
  function nameCell(cell, row) {
    if (!cell.firstElementChild) {
      const box = /** @type {HTMLInputElement} */ (element('input', { type: 'checkbox', 'aria-label': `Compare ${row.title}` }));
      box.addEventListener('change', () => {
        chosen = chosen.filter((key) => key !== row.key);
        if (box.checked) chosen.push(row.key);
        if (chosen.length > 2) chosen.shift();
        for (const [key, other] of boxes) other.checked = chosen.includes(key);
        compareButton.disabled = chosen.length !== 2;
      });
      boxes.set(row.key, box);
      cell.replaceChildren(box, ' ', element('a', { class: 'run-name', href: row.address }, row.title));
    }
    const link = /** @type {HTMLElement} */ (cell.querySelector('a'));
    setText(link, row.title);
  }

  /** @param {HTMLElement} cell @param {Row} row */
  function stateCell(cell, row) {
    if (!cell.firstElementChild) cell.replaceChildren(element('span', { class: 'badge' }));
    const badge = /** @type {HTMLElement} */ (cell.firstElementChild);
    setText(badge, row.kept ? 'Kept here' : words.STATES[row.state] ?? row.state);
    badge.className = `badge ${row.kept ? '' : words.tone(row.state)}`;
  }

  /** @param {HTMLElement} cell @param {Row} row */
  function actionCell(cell, row) {
    let button = /** @type {any} */ (cell.firstElementChild);
    if (!button) {
      button = element('button', { type: 'button', class: 'button plain small' });
      button.addEventListener('click', () => (button.row.kept ? forget(button.row) : stop(button.row)));
      cell.replaceChildren(button);
    }
    button.row = row;
    button.hidden = !row.kept && isOver(row.state);
    setText(button, row.kept ? 'Forget' : 'Stop');
    button.setAttribute('aria-label', `${row.kept ? 'Forget' : 'Stop'} ${row.title}`);
  }

  /** @param {Row} row */
  async function forget(row) {
    if (!(await confirm({ title: `Forget ${row.title}?`, text: 'What it has found is kept in this browser alone, and is lost then.', action: 'Forget' }))) return;
    kept.forget(row.kept);
    polling.now();
  }

  /** @param {Row} row */
  async function stop(row) {
    const ended = await Promise.allSettled(row.nodes.map((node) => client.call('load/terminate', { uri: `load://${row.title}` }, { node })));
    const failed = ended.find(({ status }) => status === 'rejected');
    say(failed ? /** @type {any} */ (failed).reason.message : `The agents of ${row.title} leave.`, failed ? 'bad' : 'good');
    polling.now();
  }

  return () => {
    closed = true;
    polling.stop();
  };
}
