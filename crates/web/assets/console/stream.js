/**
 * One stream: what it is, how it fares, who watches, the way that it takes, and a small player.
 */
import { element, setPairs, setText } from '../dom.js';
import * as format from '../format.js';
import { Chart } from './chart.js';
import { confirmAndDo } from './dialogs.js';
import { bytes, percent } from './figures.js';
import { repeat } from './poll.js';
import { preview } from './preview.js';
import { drawRoute } from './route.js';
import { endStream } from './streams.js';
import { Table } from './table.js';

const REFRESH_MS = 2000;
const KEPT = 150;
const VIEWERS_SHOWN = 10;

/** @param {HTMLElement} place @param {import('./main.js').Context} context */
export function showStream(place, context) {
  const { client, query, trouble, rest: name } = context;
  const node = query.get('on') ?? client.self?.node ?? '';
  const own = node === client.self?.node;
  /** @type {any} */
  let stream = null;
  /** @type {{bitrate: (number|null)[], viewers: (number|null)[]}} */
  const kept = { bitrate: [], viewers: [] };
  /** @type {{element: HTMLElement, close: () => void}|null} */
  let playing = null;

  const back = element('a', { class: 'back', href: `#/streams?on=${encodeURIComponent(node)}` }, 'Streams');
  const state = element('span', { class: 'badge' });
  const watch = element('button', { type: 'button', class: 'button plain', 'aria-expanded': 'false' }, 'Preview');
  const end = element('button', { type: 'button', class: 'button danger', hidden: '' }, 'End stream');
  const facts = element('dl', { class: 'facts wide' });
  const health = element('dl', { class: 'facts wide' });
  const remarks = element('ul', { class: 'remarks', hidden: '' });
  const route = element('ol', { class: 'route', 'aria-label': 'Way of the stream' });
  const routeCard = element('section', { class: 'card', hidden: '' }, element('h2', {}, 'Way over servers'), route);
  const rate = new Chart('Bitrate', (value) => format.bitrate(value) || '0');
  const crowd = new Chart('Viewers', (value) => format.number(value, value % 1 ? 1 : 0));
  const split = element('ul', { class: 'split', 'aria-label': 'Viewers by protocol' });
  const table = new Table('Viewers', viewerColumns(client, () => node, () => polling.now(), false), (row) => row.mediaSessionId);
  const more = element('a', { href: `#/sessions?on=${encodeURIComponent(node)}&find=${encodeURIComponent(name)}` }, 'All of them');
  const nobody = element('p', { class: 'nothing' }, 'Nobody watches just now.');
  const player = element('div');
  const body = element(
    'div',
    { class: 'stack' },
    element('section', { class: 'card' }, element('h2', {}, 'Stream'), facts, remarks),
    routeCard,
    element('div', { class: 'pair' }, element('section', { class: 'card' }, rate.element), element('section', { class: 'card' }, crowd.element)),
    element('section', { class: 'card' }, element('h2', {}, 'Quality'), health),
    element('section', { class: 'card' }, element('h2', {}, 'Viewers'), split, table.element, nobody, more),
  );
  place.append(
    element('p', {}, back),
    element('div', { class: 'heading' }, element('h1', { class: 'long' }, name, ' ', state), element('div', { class: 'actions' }, watch, end)),
    player,
    body,
  );

  watch.addEventListener('click', () => {
    if (playing) {
      playing.close();
      playing = null;
    } else {
      playing = preview(client, name);
      player.replaceChildren(playing.element);
    }
    setText(watch, playing ? 'Close preview' : 'Preview');
    watch.setAttribute('aria-expanded', String(Boolean(playing)));
  });
  end.addEventListener('click', async () => stream && (await endStream(client, stream, node)) && polling.now());

  const polling = repeat(async (signal) => {
    try {
      const ask = (/** @type {string} */ call, /** @type {object} */ body, /** @type {any} */ empty) => client.call(call, body, { node, signal, empty });
      const [found, viewers, hops] = await Promise.all([
        ask('stream/find', { name, published: true, display: ['metrics'] }, []),
        ask('stream/page', { published: false, name, sort: 'createDate', descending: true, limit: VIEWERS_SHOWN }, null),
        client.self?.clustered ? ask('cdn/stream/trace_route', { streamName: name, figures: true }, []) : [],
      ]);
      show(found[0] ?? null, viewers, hops);
      trouble('');
    } catch (error) {
      if (!signal.aborted) trouble(/** @type {Error} */ (error).message);
    }
  }, REFRESH_MS);

  /** @param {any} found @param {any} viewers @param {any[]} hops */
  function show(found, viewers, hops) {
    stream = found;
    setText(state, found ? { PUBLISHING: 'Live', PAUSED: 'Paused', PENDING: 'Starting' }[/** @type {'PAUSED'} */ (found.status)] ?? found.status : 'Not live');
    state.className = `badge ${found?.status === 'PUBLISHING' ? 'good' : 'warn'}`;
    end.hidden = !found || !client.may('operator');
    routeCard.hidden = hops.length === 0;
    if (hops.length) drawRoute(route, hops);
    const push = (/** @type {(number|null)[]} */ list, /** @type {number|null} */ value) => list.push(value) > KEPT && list.shift();
    push(kept.bitrate, found?.bitrate ?? null);
    push(kept.viewers, found?.viewers ?? null);
    rate.update([{ name: 'from the publisher', values: kept.bitrate }], REFRESH_MS / 1000);
    crowd.update([{ name: 'now', values: kept.viewers }], REFRESH_MS / 1000);
    if (found) describe(found);
    const list = viewers?.streams ?? [];
    table.update(list);
    table.element.hidden = list.length === 0;
    nobody.hidden = list.length > 0;
    more.hidden = (viewers?.found ?? 0) <= list.length;
    showSplit(viewers?.byProvider ?? {}, viewers?.found ?? 0);
  }

  /** @param {any} found */
  function describe(found) {
    setPairs(facts, [
      ['Comes by', found.mediaProvider],
      ['From', found.remoteAddress ?? ''],
      ['Server', own ? `${node} (this server)` : node],
      ['Picture', [format.codec(found.videoCodec), format.size(found.width, found.height), format.frameRate(found.fps)].filter(Boolean).join(' ')],
      ['Sound', [format.codec(found.audioCodec), format.soundFormat(found.audioCodec)].filter(Boolean).join(', ')],
      ['Bitrate', format.bitrate(found.bitrate)],
      ['Of it sound', format.bitrate(found.audioBitrate)],
      ['Live for', format.duration((Date.now() - found.createDate) / 1000)],
      ['Publisher', found.userAgent ?? ''],
      ['Session', found.mediaSessionId],
      ['Converted', (found.conversions ?? []).map((/** @type {any} */ { from, to, readers }) => `${format.codec(from)} to ${format.codec(to)} for ${format.number(readers)}`).join(', ')],
    ]);
    const of = found.metrics ?? {};
    const count = (/** @type {string} */ name) => (of[name] === undefined ? '' : format.number(of[name]));
    const pictures = (of.VIDEO_K_FRAMES ?? 0) + (of.VIDEO_P_FRAMES ?? 0) + (of.VIDEO_B_FRAMES ?? 0);
    const apart = of.VIDEO_SYNC !== undefined && of.AUDIO_SYNC !== undefined ? of.VIDEO_SYNC - of.AUDIO_SYNC : null;
    setPairs(health, [
      ['Packets of picture lost', count('VIDEO_LOST')],
      ['Packets of sound lost', count('AUDIO_LOST')],
      ['Asked for again (NACK)', count('VIDEO_NACK')],
      ['Key frames asked for (PLI)', count('VIDEO_PLI')],
      ['Pictures', pictures ? format.number(pictures) : ''],
      ['Key frames', count('VIDEO_K_FRAMES')],
      ['B-frames', of.VIDEO_B_FRAMES ? `${count('VIDEO_B_FRAMES')} (${percent((of.VIDEO_B_FRAMES / pictures) * 100)})` : count('VIDEO_B_FRAMES')],
      ['Pictures in a group', count('VIDEO_GOP_SIZE')],
      ['Newest picture ahead of sound', apart === null ? '' : `${format.number(apart)} ms`],
      ['Loudness', found.audioLevel === undefined ? '' : `${found.audioLevel} dBov`],
    ]);
    const sentences = found.remarks ?? [];
    if (remarks.dataset.shown !== sentences.join('|')) {
      remarks.dataset.shown = sentences.join('|');
      remarks.replaceChildren(...sentences.map((/** @type {string} */ text) => element('li', {}, text)));
    }
    remarks.hidden = sentences.length === 0;
  }

  /** @param {Record<string, number>} counts @param {number} all */
  function showSplit(counts, all) {
    const entries = Object.entries(counts).sort(([, a], [, b]) => b - a);
    const wanted = JSON.stringify(entries);
    if (split.dataset.shown === wanted) return;
    split.dataset.shown = wanted;
    split.hidden = entries.length === 0;
    split.replaceChildren(
      ...entries.map(([protocol, count]) => element('li', {}, element('span', {}, protocol), element('meter', { min: '0', max: String(all), value: String(count), 'aria-label': `Viewers by ${protocol}` }), element('b', {}, format.number(count)))),
    );
  }

  return () => {
    polling.stop();
    playing?.close();
  };
}

/**
 * The columns of lists of viewers.
 * @param {import('./client.js').Client} client @param {() => string} node @param {() => void} changed @param {boolean} withStream
 */
export function viewerColumns(client, node, changed, withStream) {
  const sorted = (/** @type {string} */ sort) => (withStream ? { sort } : {});
  const columns = [
    ...(withStream ? [{ title: 'Stream', sort: 'name', text: (/** @type {any} */ row) => row.name }] : []),
    { title: 'Watches by', ...sorted('mediaProvider'), text: (/** @type {any} */ row) => row.mediaProvider },
    { title: 'Address', text: (/** @type {any} */ row) => row.remoteAddress ?? '' },
    { title: 'Client', text: (/** @type {any} */ row) => (row.userAgent ?? '').slice(0, 60) },
    { title: 'Bitrate', ...sorted('bitrate'), number: true, text: (/** @type {any} */ row) => format.bitrate(row.bitrate) },
    { title: 'Sent', ...sorted('bytesSent'), number: true, text: (/** @type {any} */ row) => bytes(row.bytesSent) },
    { title: 'For', ...sorted('createDate'), number: true, text: (/** @type {any} */ row) => format.duration((Date.now() - row.createDate) / 1000) },
  ];
  if (!client.may('operator')) return columns;
  /** @param {HTMLElement} cell @param {any} row */
  const fill = (cell, row) => {
    if (cell.firstElementChild) return;
    const button = element('button', { type: 'button', class: 'button plain small', 'aria-label': `End the session of ${row.remoteAddress ?? row.mediaSessionId}` }, 'End');
    button.addEventListener('click', async () => {
      const question = { title: 'End this session?', text: `Whoever watches ${row.name} by ${row.mediaProvider}${row.remoteAddress ? ` from ${row.remoteAddress}` : ''} is sent no more. Nothing keeps them from coming back.`, action: 'End session', done: 'The session has been told to end.' };
      if (await confirmAndDo(question, () => client.call('stream/terminate', { mediaSessionId: row.mediaSessionId }, { node: node() }))) changed();
    });
    cell.replaceChildren(button);
  };
  return [...columns, { title: '', fill }];
}
