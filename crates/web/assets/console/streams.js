/**
 * The streams of a server, a page of them at a time.
 */
import { element, setText } from '../dom.js';
import * as format from '../format.js';
import { PROTOCOLS, choice, chooser, searchField } from './chooser.js';
import { confirmAndDo } from './dialogs.js';
import { repeat } from './poll.js';
import { Pager, Table } from './table.js';

const REFRESH_MS = 2000;
const PAGE = 50;
/** @type {[string, string][]} */
const STATES = [['', 'All states'], ['PUBLISHING', 'Live'], ['PAUSED', 'Paused'], ['PENDING', 'Starting']];

/** The address of a stream's page here. @param {string} name @param {string} node */
export const streamAddress = (name, node) => `#/streams/${name.split('/').map(encodeURIComponent).join('/')}?on=${encodeURIComponent(node)}`;

/** Ends a publication after a question. @param {import('./client.js').Client} client @param {any} stream @param {string} node */
export function endStream(client, stream, node) {
  const question = {
    title: `End ${stream.name}?`,
    text: `Its publisher is disconnected, and ${stream.viewers === 1 ? 'its viewer' : `its ${format.number(stream.viewers ?? 0)} viewers`} with it. Nothing keeps the publisher from coming back.`,
    action: 'End stream',
    done: `${stream.name} has been told to end.`,
  };
  return confirmAndDo(question, () => client.call('stream/terminate', { mediaSessionId: stream.mediaSessionId }, { node }));
}

/** @param {HTMLElement} place @param {import('./main.js').Context} context */
export function showStreams(place, context) {
  const { client, query, trouble } = context;
  const asked = { search: query.get('find') ?? '', mediaProvider: '', status: '' };
  const renew = () => {
    pager.offset = 0;
    polling.now();
  };
  const server = chooser(context, (node) => context.go(`#/streams?on=${encodeURIComponent(node)}`));
  const table = new Table('Streams', columns(), (row) => row.mediaSessionId + row.createDate, renew);
  table.showSort('name', false);
  const pager = new Pager(PAGE, () => polling.now());
  const empty = element('p', { class: 'nothing', hidden: '' });
  const filters = element(
    'div',
    { class: 'filters' },
    server.element,
    searchField('Search by name or address', asked.search, (search) => { asked.search = search; renew(); }),
    choice('Protocol', PROTOCOLS, '', (value) => { asked.mediaProvider = value; renew(); }),
    choice('State', STATES, '', (value) => { asked.status = value; renew(); }),
  );
  place.append(element('div', { class: 'heading' }, element('h1', {}, 'Streams'), pager.element), filters, table.element, empty);

  const polling = repeat(async (signal) => {
    const body = {
      published: true,
      sort: table.sort,
      descending: table.descending,
      offset: pager.offset,
      limit: PAGE,
      ...Object.fromEntries(Object.entries(asked).filter(([, value]) => value)),
    };
    try {
      const page = await client.call('stream/page', body, { node: server.node, signal });
      if (page.streams.length === 0 && page.found > 0 && pager.offset > 0) return renew();
      table.update(page.streams);
      table.element.hidden = page.found === 0;
      pager.update(page.found, page.streams.length, 'stream', 'streams');
      empty.hidden = page.found > 0;
      setText(empty, Object.values(asked).some(Boolean) ? 'No stream is like that.' : 'Nobody publishes a stream here just now. One that is sent appears by itself.');
      trouble('');
    } catch (error) {
      if (!signal.aborted) trouble(/** @type {Error} */ (error).message);
    }
  }, REFRESH_MS);

  function columns() {
    return [
      { title: 'Stream', sort: 'name', fill: nameCell },
      { title: 'Picture', text: (/** @type {any} */ row) => [format.codec(row.videoCodec), format.size(row.width, row.height), format.frameRate(row.fps)].filter(Boolean).join(' ') },
      { title: 'Sound', text: (/** @type {any} */ row) => [format.codec(row.audioCodec), format.soundFormat(row.audioCodec)].filter(Boolean).join(' ') },
      { title: 'Comes by', sort: 'mediaProvider', text: (/** @type {any} */ row) => row.mediaProvider },
      { title: 'Bitrate', sort: 'bitrate', number: true, text: (/** @type {any} */ row) => format.bitrate(row.bitrate) },
      { title: 'Viewers', sort: 'viewers', number: true, text: (/** @type {any} */ row) => format.number(row.viewers ?? 0) },
      { title: 'Live for', sort: 'createDate', number: true, text: (/** @type {any} */ row) => format.duration((Date.now() - row.createDate) / 1000) },
      ...(client.may('operator') ? [{ title: '', fill: actionCell }] : []),
    ];
  }

  /** @param {HTMLElement} cell @param {any} row */
  function nameCell(cell, row) {
    let link = cell.querySelector('a');
    if (!link) {
      link = /** @type {HTMLAnchorElement} */ (element('a', { class: 'name', href: streamAddress(row.name, server.node) }, row.name));
      cell.replaceChildren(link);
    }
    link.dataset.state = row.status;
    link.title = row.status === 'PAUSED' ? 'Its publisher is away; viewers wait' : '';
  }

  /** @param {HTMLElement} cell @param {any} row */
  function actionCell(cell, row) {
    let button = /** @type {any} */ (cell.firstElementChild);
    if (!button) {
      button = element('button', { type: 'button', class: 'button plain small', 'aria-label': `End ${row.name}` }, 'End');
      button.addEventListener('click', async () => (await endStream(client, button.row, server.node)) && polling.now());
      cell.replaceChildren(button);
    }
    button.row = row;
  }

  return () => polling.stop();
}
