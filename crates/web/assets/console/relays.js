/**
 * Streams fetched from other servers and sent to them, by RTMP and by WebRTC.
 */
import { element, setText } from '../dom.js';
import { chooser } from './chooser.js';
import { confirmAndDo, say } from './dialogs.js';
import { repeat } from './poll.js';
import { Table } from './table.js';

const REFRESH_MS = 2000;
/** @type {Record<string, string>} */
const STATES = { NEW: 'Begins', PENDING: 'Connects', CONNECTED: 'Connected', PROCESSED_REMOTE: 'Flows', PROCESSED_LOCAL: 'Flows', STOPPED: 'Stopped', FAILED: 'Failed' };

/**
 * @typedef {object} Relay
 * @property {string} id
 * @property {boolean} sends
 * @property {string} kind     `RTMP` or `WebRTC`
 * @property {string} name     what the stream is called here
 * @property {string} url
 * @property {string} status
 * @property {string} problem
 * @property {[string, object]} end  the call that ends it
 */

/**
 * All relays, each once.
 * @param {any[]} rtmp @param {any[]} webrtc @param {any[]} pushes
 * @returns {Relay[]}
 */
export function merge(rtmp, webrtc, pushes) {
  const of = (/** @type {any} */ one) => ({ status: one.status, problem: one.info ?? '' });
  /** @type {Relay[]} */
  const all = [
    ...rtmp.map((one) => ({ id: one.localMediaSessionId, sends: false, kind: 'RTMP', name: one.localStreamName, url: one.uri, ...of(one), end: end('pull/rtmp/terminate', { localMediaSessionId: one.localMediaSessionId }) })),
    ...webrtc.map((one) => ({ id: one.localMediaSessionId, sends: Boolean(one.published), kind: 'WebRTC', name: one.localStreamName, url: one.uri, ...of(one), end: end('pull/terminate', { localMediaSessionId: one.localMediaSessionId }) })),
    ...pushes.map((one) => ({ id: one.mediaSessionId, sends: true, kind: /^rtmp/.test(one.rtmpUrl) ? 'RTMP' : 'WebRTC', name: one.localStreamName, url: one.rtmpUrl, ...of(one), end: end('push/terminate', { mediaSessionId: one.mediaSessionId }) })),
  ];
  const seen = new Set();
  return all.filter(({ id }) => !seen.has(id) && seen.add(id)).sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }) || a.id.localeCompare(b.id));
}

/** @param {string} call @param {object} body @returns {[string, object]} */
const end = (call, body) => [call, body];

/**
 * The call that begins a relay, by the kind of its address.
 * @param {boolean} sends @param {{url: string, local: string, remote: string, transport: string}} form
 * @returns {[string, object]}
 */
export function beginning(sends, { url, local, remote, transport }) {
  const isRtmp = /^rtmps?:\/\//i.test(url);
  if (!isRtmp) {
    const body = { uri: url, transport, ...(local ? { localStreamName: local } : {}), ...(remote ? { remoteStreamName: remote } : {}) };
    return [sends ? 'pull/push' : 'pull/pull', body];
  }
  // The key is the last part of the address; what stands in the field comes behind it.
  const [address, ...behind] = url.split('?');
  const parts = address.replace(/\/+$/, '').split('/').length;
  const key = remote || (sends && parts < 5 ? local : '');
  const whole = [key ? `${address.replace(/\/+$/, '')}/${key}` : address, ...behind].join('?');
  if (sends) return ['push/startup', { streamName: local, rtmpUrl: whole, rtmpTransponderFullUrl: true }];
  return ['pull/rtmp/pull', { uri: whole, ...(local ? { localStreamName: local } : {}) }];
}

/** So many copies are begun from here at most; what a server takes is its own limit. */
const COPIES_MAX = 200;

/**
 * The calls that begin several relays of one stream: names that are new have the number of the copy behind them.
 * @param {boolean} sends @param {{url: string, local: string, remote: string, transport: string}} form @param {number} count
 * @returns {[string, object][]}
 */
export function copies(sends, form, count) {
  if (count <= 1) return [beginning(sends, form)];
  const name = sends ? form.remote || form.local : form.local || form.remote;
  // WHIP has the name in its address.
  const url = (/** @type {number} */ number) => (sends ? form.url.replace(/([^/]+)(\/whip)(?=\?|$)/i, `$1${number}$2`) : form.url);
  return Array.from({ length: Math.min(count, COPIES_MAX) }, (_, index) => {
    const numbered = `${name}${index + 1}`;
    return beginning(sends, { ...form, url: url(index + 1), ...(sends ? { remote: /\/whip(\?|$)/i.test(form.url) ? form.remote : numbered } : { local: numbered }) });
  });
}

/** @param {HTMLElement} place @param {import('./main.js').Context} context */
export function showRelays(place, context) {
  const { client, trouble } = context;
  const server = chooser(context, (node) => context.go(`#/relays?on=${encodeURIComponent(node)}`));
  const summary = element('p', { class: 'summary' });
  const empty = element('p', { class: 'nothing', hidden: '' }, 'No stream is fetched from another server or sent to one.');
  const table = new Table('Relays', columns(), (/** @type {Relay} */ row) => row.id);
  place.append(element('div', { class: 'heading' }, element('h1', {}, 'Relays'), summary), element('div', { class: 'filters' }, server.element));
  if (client.may('operator')) place.append(form());
  place.append(table.element, empty);

  const polling = repeat(async (signal) => {
    try {
      const ask = (/** @type {string} */ call) => client.call(call, {}, { node: server.node, signal, empty: [] });
      const relays = merge(...(await Promise.all([ask('pull/rtmp/find_all'), ask('pull/find_all'), ask('push/find_all')])));
      table.update(relays);
      table.element.hidden = relays.length === 0;
      empty.hidden = relays.length > 0;
      const fetched = relays.filter(({ sends }) => !sends).length;
      setText(summary, relays.length ? `${fetched} fetched, ${relays.length - fetched} sent` : '');
      trouble('');
    } catch (error) {
      if (!signal.aborted) trouble(/** @type {Error} */ (error).message);
    }
  }, REFRESH_MS);

  function form() {
    const direction = /** @type {HTMLSelectElement} */ (element('select', { name: 'direction' }, element('option', { value: 'pull' }, 'Fetch a stream'), element('option', { value: 'push' }, 'Send a stream')));
    const transport = /** @type {HTMLSelectElement} */ (element('select', { name: 'transport' }, element('option', { value: 'UDP' }, 'UDP'), element('option', { value: 'TCP' }, 'TCP')));
    const input = (/** @type {string} */ name, /** @type {string} */ hint, more = {}) => /** @type {HTMLInputElement} */ (element('input', { name, placeholder: hint, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', ...more }));
    const url = input('url', 'rtmp://…, wss://… or https://…/whep', { required: '', inputmode: 'url' });
    const local = input('local', 'optional');
    const remote = input('remote', 'optional');
    const count = input('count', '', { type: 'number', min: '1', max: String(COPIES_MAX), step: '1', required: '', inputmode: 'numeric' });
    count.value = '1';
    const wrong = element('p', { class: 'trouble', role: 'alert', hidden: '' });
    const label = (/** @type {string} */ text, /** @type {HTMLElement} */ field, wide = false) => element('label', { class: `field tall${wide ? ' wide' : ''}` }, element('span', {}, text), field);
    const submit = /** @type {HTMLButtonElement} */ (element('button', { type: 'submit', class: 'button' }, 'Start'));
    const made = /** @type {HTMLFormElement} */ (
      element(
        'form',
        { class: 'card form', 'aria-label': 'New relay' },
        label('Do', direction),
        label('Address of the other server', url, true),
        label('Name here', local),
        label('Name there', remote),
        label('WebRTC over', transport),
        label('Copies', count),
        submit,
        wrong,
      )
    );
    // Copies are told apart by the number behind their name.
    count.addEventListener('input', () => (local.required = direction.value === 'push' || Number(count.value) > 1));
    direction.addEventListener('change', () => {
      const sends = direction.value === 'push';
      local.required = sends || Number(count.value) > 1;
      local.placeholder = sends ? 'the stream to send' : 'optional';
      url.placeholder = sends ? 'rtmp://…, wss://… or https://…/whip' : 'rtmp://…, wss://… or https://…/whep';
    });
    // WebRTC alone can choose.
    url.addEventListener('input', () => (transport.disabled = /^rtmp/i.test(url.value)));
    made.addEventListener('submit', async (event) => {
      event.preventDefault();
      wrong.hidden = true;
      submit.disabled = true;
      const calls = copies(direction.value === 'push', { url: url.value.trim(), local: local.value.trim(), remote: remote.value.trim(), transport: transport.value }, Number(count.value));
      let begun = 0;
      try {
        for (const [call, body] of calls) {
          await client.call(call, body, { node: server.node });
          begun += 1;
        }
        say(begun > 1 ? `${begun} are being connected.` : 'It is being connected.');
        url.value = local.value = remote.value = '';
        count.value = '1';
      } catch (error) {
        wrong.hidden = false;
        setText(wrong, `${begun ? `${begun} of ${calls.length} are being connected, and then: ` : ''}${/** @type {Error} */ (error).message}`);
      }
      if (begun) polling.now();
      submit.disabled = false;
    });
    return made;
  }

  function columns() {
    const own = [
      { title: 'Stream here', text: (/** @type {Relay} */ row) => row.name },
      { title: 'Way', text: (/** @type {Relay} */ row) => `${row.sends ? 'sent' : 'fetched'} by ${row.kind}` },
      { title: 'Other server', fill: (/** @type {HTMLElement} */ cell, /** @type {Relay} */ row) => { cell.classList.add('url'); setText(cell, row.url); } },
      { title: 'State', fill: stateCell },
    ];
    return client.may('operator') ? [...own, { title: '', fill: endCell }] : own;
  }

  /** @param {HTMLElement} cell @param {Relay} row */
  function stateCell(cell, row) {
    cell.classList.add('whole');
    if (!cell.firstElementChild) cell.replaceChildren(element('span', { class: 'badge' }), element('small', { class: 'note' }));
    const [badge, note] = /** @type {HTMLElement[]} */ ([...cell.children]);
    setText(badge, STATES[row.status] ?? row.status);
    badge.className = `badge ${row.status.startsWith('PROCESSED') ? 'good' : row.status === 'FAILED' ? 'bad' : 'warn'}`;
    const problem = row.status.startsWith('PROCESSED') ? '' : row.problem;
    setText(note, problem);
    note.hidden = !problem;
  }

  /** @param {HTMLElement} cell @param {Relay} row */
  function endCell(cell, row) {
    if (cell.firstElementChild) return;
    const button = element('button', { type: 'button', class: 'button plain small', 'aria-label': `Stop ${row.name}` }, 'Stop');
    button.addEventListener('click', async () => {
      const text = row.sends ? `The other server gets ${row.name} no more.` : `Whoever watches ${row.name} here sees it no more.`;
      if (await confirmAndDo({ title: `Stop ${row.name}?`, text, action: 'Stop', done: `${row.name} has been told to stop.` }, () => client.call(row.end[0], row.end[1], { node: server.node }))) polling.now();
    });
    cell.replaceChildren(button);
  }

  return () => polling.stop();
}
