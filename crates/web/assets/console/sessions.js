/**
 * Who is connected to a server: viewers of its streams, and pages that speak the session protocol.
 */
import { element, setText } from '../dom.js';
import * as format from '../format.js';
import { PROTOCOLS, choice, chooser, searchField } from './chooser.js';
import { confirmAndDo } from './dialogs.js';
import { repeat } from './poll.js';
import { viewerColumns } from './stream.js';
import { Pager, Table } from './table.js';

const REFRESH_MS = 2500;
const PAGE = 50;

/** @param {HTMLElement} place @param {import('./main.js').Context} context */
export function showSessions(place, context) {
  const { client, query, trouble } = context;
  const asked = { search: query.get('find') ?? '', mediaProvider: '' };
  const renew = () => {
    pager.offset = 0;
    pages.pager.offset = 0;
    polling.now();
  };
  const server = chooser(context, (node) => context.go(`#/sessions?on=${encodeURIComponent(node)}`));
  const table = new Table('Viewers', viewerColumns(client, () => server.node, () => polling.now(), true), (row) => row.mediaSessionId, renew);
  table.showSort('createDate', true);
  const pager = new Pager(PAGE, () => polling.now());
  const empty = element('p', { class: 'nothing', hidden: '' });
  const pages = connections(client, () => server.node, () => polling.now());
  place.append(
    element('div', { class: 'heading' }, element('h1', {}, 'Sessions')),
    element(
      'div',
      { class: 'filters' },
      server.element,
      searchField('Search by stream, address or client', asked.search, (search) => { asked.search = search; renew(); }),
      choice('Protocol', PROTOCOLS, '', (value) => { asked.mediaProvider = value; renew(); }),
    ),
    element('div', { class: 'heading minor' }, element('h2', {}, 'Viewers'), pager.element),
    table.element,
    empty,
    element('div', { class: 'heading minor' }, element('h2', {}, 'Connected pages'), pages.pager.element),
    pages.table.element,
    pages.empty,
  );

  const polling = repeat(async (signal) => {
    const body = { published: false, sort: table.sort, descending: table.descending, offset: pager.offset, limit: PAGE, ...Object.fromEntries(Object.entries(asked).filter(([, value]) => value)) };
    try {
      const [page, connected] = await Promise.all([
        client.call('stream/page', body, { node: server.node, signal }),
        client.call('connection/find_all', {}, { node: server.node, signal, empty: [] }),
      ]);
      if (page.streams.length === 0 && page.found > 0 && pager.offset > 0) return renew();
      table.update(page.streams);
      table.element.hidden = page.found === 0;
      pager.update(page.found, page.streams.length, 'viewer', 'viewers');
      empty.hidden = page.found > 0;
      setText(empty, Object.values(asked).some(Boolean) ? 'No viewer is like that.' : 'Nobody watches a stream of this server just now.');
      pages.update(connected, asked.search);
      trouble('');
    } catch (error) {
      if (!signal.aborted) trouble(/** @type {Error} */ (error).message);
    }
  }, REFRESH_MS);
  return () => polling.stop();
}

/** The clients of the session protocol. @param {import('./client.js').Client} client @param {() => string} node @param {() => void} changed */
function connections(client, node, changed) {
  /** @type {any[]} */
  let all = [];
  const empty = element('p', { class: 'nothing', hidden: '' }, 'No page is connected by the session protocol.');
  const table = new Table('Connected pages', columns(), (row) => row.sessionId);
  const pager = new Pager(PAGE, () => show());

  function columns() {
    const own = [
      { title: 'Address', text: (/** @type {any} */ row) => row.remoteAddress ?? row.sessionId },
      { title: 'Application', text: (/** @type {any} */ row) => row.appKey ?? '' },
      { title: 'Client', text: (/** @type {any} */ row) => (row.userAgent ?? '').slice(0, 60) },
      { title: 'For', number: true, text: (/** @type {any} */ row) => format.duration((Date.now() - row.createDate) / 1000) },
    ];
    return client.may('operator') ? [...own, { title: '', fill: endCell }] : own;
  }

  /** @param {HTMLElement} cell @param {any} row */
  function endCell(cell, row) {
    if (cell.firstElementChild) return;
    const button = element('button', { type: 'button', class: 'button plain small', 'aria-label': `Disconnect ${row.remoteAddress ?? row.sessionId}` }, 'Disconnect');
    button.addEventListener('click', async () => {
      const question = { title: 'Disconnect this page?', text: 'All that it publishes and watches ends. Nothing keeps it from coming back.', action: 'Disconnect', done: 'The page is disconnected.' };
      if (await confirmAndDo(question, () => client.call('connection/terminate', { sessionId: row.sessionId }, { node: node() }))) changed();
    });
    cell.replaceChildren(button);
  }

  function show() {
    const part = all.slice(pager.offset, pager.offset + PAGE);
    table.update(part);
    table.element.hidden = all.length === 0;
    empty.hidden = all.length > 0;
    pager.update(all.length, part.length, 'page', 'pages');
  }

  /** @param {any[]} connected @param {string} search */
  function update(connected, search) {
    const wanted = search.toLowerCase();
    const texts = (/** @type {any} */ row) => [row.remoteAddress, row.userAgent, row.appKey, row.sessionId].filter(Boolean).join(' ').toLowerCase();
    all = connected.filter((row) => !wanted || texts(row).includes(wanted)).sort((a, b) => (b.createDate ?? 0) - (a.createDate ?? 0));
    if (pager.offset >= all.length) pager.offset = 0;
    show();
  }

  return { table, pager, empty, update };
}
