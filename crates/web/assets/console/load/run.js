/**
 * One run: its figures now and second by second, and what became of it.
 */
import { element, setText } from '../../dom.js';
import * as format from '../../format.js';
import { askText, confirm, confirmAndDo, say } from '../dialogs.js';
import { repeat } from '../poll.js';
import { Table } from '../table.js';
import { Charts } from './charts.js';
import * as kept from './kept.js';
import { Live } from './live.js';
import { csv, isOver, json, rows, state, summary } from './model.js';
import * as words from './words.js';

const REFRESH_MS = 1000;

/** Gives a text to the visitor as a file. @param {string} name @param {string} type @param {string} text */
function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = element('a', { href: address, download: name.replace(/[^A-Za-z0-9._-]+/g, '-') });
  document.body.append(link);
  link.click();
  link.remove();
  // The browser reads it after this; a minute is long enough and no leak.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** @param {HTMLElement} place @param {import('../main.js').Context} context */
export function showRun(place, context) {
  const { client, query, trouble, go } = context;
  const [page, ...behind] = context.rest.split('/');
  const id = behind.join('/');
  const old = page === 'kept' ? kept.find(id) : null;
  const nodes = (query.get('on') ?? client.self?.node ?? '').split(',').filter(Boolean);
  const live = page === 'run' ? new Live(client, id, nodes, query.get('target') ?? '') : null;
  /** @type {import('./model.js').Found|null} */
  let found = old?.found ?? null;

  const back = element('a', { class: 'back', href: '#/load' }, 'Load');
  const badge = element('span', { class: 'badge' });
  const button = (/** @type {string} */ text, /** @type {() => void} */ act, kind = 'plain') => {
    const made = /** @type {HTMLButtonElement} */ (element('button', { type: 'button', class: `button ${kind}`, hidden: '' }, text));
    made.addEventListener('click', act);
    return made;
  };
  const stop = button('Stop', () => confirmAndDo({ title: `Stop ${id}?`, text: 'All its agents leave. What it has found stays.', action: 'Stop', done: 'The agents leave.' }, () => /** @type {Live} */ (live).stop()).then(() => polling?.now()), 'danger');
  const keep = button('Keep', async () => {
    const title = await askText({ title: 'Keep this run', label: 'Name', value: id, action: 'Keep', text: `It stays in this browser, the last ${kept.KEPT_MAX} do.` });
    if (!title || !found) return;
    const own = kept.keep(title, { ...found, name: title });
    say(own ? `${title} is kept.` : 'This browser has no room for it, or lets pages keep nothing. Take it as a file.', own ? 'good' : 'bad');
  });
  const name = button('Rename', async () => {
    const title = await askText({ title: 'Rename this run', label: 'Name', value: heading.textContent ?? '', action: 'Rename' });
    if (!title || !old) return;
    kept.rename(old.id, title);
    setText(heading, title);
  });
  const forget = button('Forget', async () => {
    if (!old || !(await confirm({ title: `Forget ${old.title}?`, text: 'What it has found is kept in this browser alone, and is lost then.', action: 'Forget' }))) return;
    kept.forget(old.id);
    go('#/load');
  });
  const asJson = button('JSON', () => found && download(`${found.name}.json`, 'application/json', json(found)));
  const asCsv = button('CSV', () => found && download(`${found.name}.csv`, 'text/csv', csv(found)));
  asJson.setAttribute('aria-label', 'Export all of it as JSON');
  asCsv.setAttribute('aria-label', 'Export the seconds as CSV');
  const heading = element('span', {}, old?.title ?? id);
  const problems = element('ul', { class: 'remarks', role: 'alert', hidden: '' });
  const tiles = element('dl', { class: 'tiles' });
  const charts = new Charts();
  const tasks = new Table('Agents by what they do', taskColumns(), (row) => row.key);
  const failures = new Table('Why agents failed', failureColumns(), (row) => row.key);
  const failureCard = element('section', { class: 'card', hidden: '' }, element('h2', {}, 'Why agents failed'), failures.element);
  const checks = new Table('Bounds', checkColumns(), (row) => row.key);
  const checkCard = element('section', { class: 'card', hidden: '' }, element('h2', {}, 'Bounds'), checks.element);
  const body = element('div', { class: 'stack', hidden: '' }, tiles, charts.element, element('section', { class: 'card' }, element('h2', {}, 'Agents'), tasks.element), failureCard, checkCard);
  const missing = element('p', { class: 'nothing', hidden: '' });
  place.append(
    element('p', {}, back),
    element('div', { class: 'heading' }, element('h1', { class: 'long' }, heading, ' ', badge), element('div', { class: 'actions' }, stop, keep, name, asJson, asCsv, forget)),
    problems, missing, body,
  );
  name.hidden = forget.hidden = !old;

  const polling = live
    ? repeat(async (signal) => {
        await live.ask(signal);
        if (signal.aborted) return;
        found = live.found;
        show();
        trouble('');
        if (live.isOver && live.problems.size === 0) polling?.stop();
      }, REFRESH_MS)
    : null;
  if (!live) show();

  function show() {
    const sentences = [...(live?.problems.values() ?? [])];
    problems.hidden = sentences.length === 0 || !client.reachable;
    if (problems.dataset.shown !== sentences.join('|')) {
      problems.dataset.shown = sentences.join('|');
      problems.replaceChildren(...sentences.map((text) => element('li', {}, text)));
    }
    const isThere = found !== null && found.parts.length > 0;
    body.hidden = !isThere;
    missing.hidden = isThere;
    setText(missing, old || live ? 'There is nothing to show of this run.' : 'This browser keeps no such run.');
    for (const one of [asJson, asCsv]) one.hidden = !isThere;
    keep.hidden = !isThere || Boolean(old);
    if (!found || !isThere) return;
    const now = state(found.parts);
    stop.hidden = !live || isOver(now) || now === 'LEAVING';
    badge.className = `badge ${old ? '' : words.tone(now)}`;
    const seconds = Math.max(...found.parts.map(({ results }) => results.run.seconds));
    setText(badge, `${old ? 'Kept here' : words.STATES[now] ?? now}, ${format.duration(seconds)}`);
    showTiles(found);
    charts.update([found]);
    const all = rows(found.parts);
    tasks.update(all.map((task, index) => ({ ...task, key: `${task.node} ${index}` })));
    const reasons = all.flatMap((task, index) => task.failures.map((/** @type {any} */ failure) => ({ ...failure, of: `${task.what} at ${task.target}`, key: `${index} ${failure.reason}` })));
    const errors = found.parts.filter(({ results }) => results.run.error).map(({ node, results }) => ({ reason: 'it could not begin', count: null, example: results.run.error, of: node, key: node }));
    failures.update([...errors, ...reasons]);
    failureCard.hidden = errors.length + reasons.length === 0;
    const bounds = found.parts.flatMap(({ node, results }) => results.checks.map((/** @type {any} */ check) => ({ ...check, node, key: `${node} ${check.what}` })));
    checks.update(bounds);
    checkCard.hidden = bounds.length === 0;
  }

  /** @param {import('./model.js').Found} found */
  function showTiles(found) {
    const of = summary(found);
    /** @type {[string, string, string][]} */
    const all = [
      ['Agents there', `${words.count(of.live)} of ${words.count(of.count)}`, `${words.count(of.liveMax)} at most`],
      ['Failed', words.count(of.failed), `${words.count(of.joined)} came about`],
      ['Rate', words.rate(of.bitrate), `${words.count(of.packets)} packets`],
      ['Lost', words.share(of.loss), `${words.count(of.lost)} packets`],
      ['Latency', words.ms(of.latencyP50), of.latencyP99 === null ? 'no stamps read' : `99 in 100 below ${words.ms(of.latencyP99)}`],
      ['First picture', words.ms(of.firstPictureP50), of.firstPictureP95 === null ? '' : `95 in 100 within ${words.ms(of.firstPictureP95)}`],
      ['Freezes', words.count(of.freezes), of.frozenS ? `${format.number(of.frozenS, 1)} s together` : 'none'],
      ['CPU of the target', of.targetCpu === null ? '' : words.figure(of.targetCpu, 'percent'), `the agents take ${words.figure(of.cores, 'cores')} cores`],
    ];
    all.forEach(([term, value, note], index) => {
      if (!tiles.children[index]) tiles.append(element('div', {}, element('dt', {}, term), element('dd', {}, element('strong'), element('small'))));
      const [strong, small] = /** @type {HTMLElement[]} */ ([...(tiles.children[index].querySelectorAll('strong, small'))]);
      setText(strong, value || '–');
      setText(small, note);
    });
  }

  return () => polling?.stop();
}

function taskColumns() {
  return [
    { title: 'Agents', text: (/** @type {any} */ row) => `${row.what}, ${words.count(row.live)} of ${words.count(row.count)}` },
    { title: 'At', fill: (/** @type {HTMLElement} */ cell, /** @type {any} */ row) => { cell.classList.add('url'); setText(cell, row.target); } },
    { title: 'From', text: (/** @type {any} */ row) => row.node },
    { title: 'Came', number: true, text: (/** @type {any} */ row) => words.count(row.joined) },
    { title: 'Failed', number: true, text: (/** @type {any} */ row) => words.count(row.failed) },
    { title: 'Rate', number: true, text: (/** @type {any} */ row) => words.rate(row.bitrate) },
    { title: 'Lost', number: true, text: (/** @type {any} */ row) => words.share(row.loss) },
    { title: 'Freezes', number: true, text: (/** @type {any} */ row) => words.count(row.freezes) },
    { title: 'First picture', number: true, text: (/** @type {any} */ row) => words.spread(row.firstPictureMs) },
    { title: 'Latency', number: true, text: (/** @type {any} */ row) => words.spread(row.latencyMs, 'p99') },
    { title: 'Decoded', number: true, text: (/** @type {any} */ row) => (row.decoded.turns ? `${words.count(row.decoded.pictures)}${row.decoded.refused ? `, ${words.count(row.decoded.refused)} refused` : ''}` : '') },
  ];
}

function failureColumns() {
  return [
    { title: 'Reason', text: (/** @type {any} */ row) => row.reason.replaceAll('_', ' ') },
    { title: 'Agents', number: true, text: (/** @type {any} */ row) => words.count(row.count) },
    { title: 'What was said', fill: (/** @type {HTMLElement} */ cell, /** @type {any} */ row) => { cell.classList.add('whole'); setText(cell, row.example); } },
    { title: 'Of', fill: (/** @type {HTMLElement} */ cell, /** @type {any} */ row) => { cell.classList.add('url'); setText(cell, row.of); } },
  ];
}

function checkColumns() {
  const number = (/** @type {number|null} */ value) => (value == null ? 'nothing' : String(Math.round(value * 10_000) / 10_000));
  return [
    { title: 'Bound', text: (/** @type {any} */ row) => words.BOUNDS[row.what] ?? row.what },
    { title: 'Of', text: (/** @type {any} */ row) => row.node },
    { title: 'Wanted', number: true, text: (/** @type {any} */ row) => number(row.bound) },
    { title: 'Measured', number: true, text: (/** @type {any} */ row) => number(row.measured) },
    {
      title: 'Verdict',
      fill: (/** @type {HTMLElement} */ cell, /** @type {any} */ row) => {
        if (!cell.firstElementChild) cell.replaceChildren(element('span', { class: 'badge' }));
        const badge = /** @type {HTMLElement} */ (cell.firstElementChild);
        setText(badge, row.kept ? 'kept' : 'broken');
        badge.className = `badge ${row.kept ? 'good' : 'bad'}`;
      },
    },
  ];
}
