/**
 * Runs of load agents: what is ordered, what came of it as numbers, and what is worse in one than in another.
 *
 * @typedef {object} Kind           what agents can do, as the API tells it
 * @property {string} what          `play`, `publish`, `pairs` or `websocket`
 * @property {string} protocol
 * @property {string} target        with `{http}`, `{ws}`, `{rtmp}` and `{name}` in it
 * @property {boolean} takesStream  whether a task names the stream, as its target does not
 * @property {boolean} [lowLatency] of HLS, whether parts are loaded
 *
 * @typedef {object} Part           what one server has found
 * @property {string} node
 * @property {any} results          as the API tells them
 *
 * @typedef {object} Found          a run, whether it goes on or was kept
 * @property {string} name
 * @property {Part[]} parts
 * @property {Record<string, (number|null)[]>} cpu  percent of the processors of each server, second by second
 * @property {string} target        the server that is measured, where it is known
 */

/** What `what` is called. @type {Record<string, string>} */
export const WHAT = { play: 'Play', publish: 'Publish', pairs: 'Pairs', websocket: 'Bare sessions' };

/**
 * Where a server is reached, from the address where its streams are fetched.
 * @param {string} media such as `ws://10.0.0.7:8080`
 */
export function addresses(media) {
  const { protocol, host, hostname } = new URL(media);
  const secure = protocol === 'wss:' || protocol === 'https:';
  return { http: `http${secure ? 's' : ''}://${host}`, ws: `ws${secure ? 's' : ''}://${host}`, rtmp: `rtmp://${hostname}` };
}

/** The target of a task. @param {Kind} kind @param {string} media @param {string} name of the stream */
export function targetOf(kind, media, name) {
  const at = addresses(media);
  const path = name.split('/').map((part) => encodeURIComponent(part).replaceAll('%7Bi%7D', '{i}')).join('/');
  return kind.target.replace(/\{(http|ws|rtmp|name)\}/g, (_, hole) => (hole === 'name' ? path : at[/** @type {'http'} */ (hole)]));
}

/** Names of streams that publishers need each for itself. @param {string} what @param {string} name @param {number} count */
export function numbered(what, name, count) {
  const publishes = what === 'publish' || what === 'pairs';
  return publishes && count > 1 && !name.includes('{i}') ? `${name}-{i}` : name;
}

/**
 * Tasks for one of several servers: the numbers of its agents begin behind those of the servers before it.
 * @param {any[]} tasks @param {number} index of the server
 */
export const tasksOf = (tasks, index) => tasks.map((task) => ({ ...task, first: 1 + index * (task.streams ?? task.count) }));

/** @param {(number|null|undefined)[]} values */
const known = (values) => /** @type {number[]} */ (values.filter((value) => value != null && Number.isFinite(value)));
/** @param {(number|null|undefined)[]} values */
const most = (values) => (known(values).length ? Math.max(...known(values)) : null);
/** @param {(number|null|undefined)[]} values */
const total = (values) => known(values).reduce((sum, value) => sum + value, 0);

/** The tasks of all servers, each with the server that its agents run on. @param {Part[]} parts @returns {any[]} */
export const rows = (parts) => parts.flatMap(({ node, results }) => results.run.tasks.map((/** @type {any} */ task) => ({ ...task, node })));

/** Second by second, all servers together; of latencies the worst. @param {Part[]} parts @returns {any[]} */
export function series(parts) {
  const all = parts.map(({ results }) => results.series);
  if (all.length === 1) return all[0];
  const length = Math.max(0, ...all.map((points) => points.length));
  const sums = ['live', 'failed', 'bitrate', 'lost', 'freezes', 'cores', 'memoryBytes'];
  return Array.from({ length }, (_, index) => {
    const points = all.map((list) => list[index]).filter(Boolean);
    return {
      at: points[0].at,
      seconds: points[0].seconds,
      ...Object.fromEntries(sums.map((name) => [name, total(points.map((point) => point[name]))])),
      latencyP50Ms: most(points.map(({ latencyP50Ms }) => latencyP50Ms)),
      latencyP99Ms: most(points.map(({ latencyP99Ms }) => latencyP99Ms)),
    };
  });
}

/** The state of the server that is the least far. @param {Part[]} parts */
export function state(parts) {
  const order = ['FAILED', 'PREPARING', 'RAMPING', 'HOLDING', 'LEAVING', 'DONE'];
  return parts.map(({ results }) => results.run.state).sort((a, b) => order.indexOf(a) - order.indexOf(b))[0] ?? '';
}

/** @param {string} state */
export const isOver = (state) => state === 'DONE' || state === 'FAILED';

/**
 * A run in numbers.
 * @param {Found} found
 * @returns {Record<string, number|null>}
 */
export function summary(found) {
  const tasks = rows(found.parts);
  const sum = (/** @type {string} */ name) => total(tasks.map((task) => task[name]));
  const worst = (/** @type {string} */ name, /** @type {string} */ quantile) => most(tasks.map((task) => task[name]?.[quantile]));
  const [packets, lost] = [sum('packets'), sum('lost')];
  const cpu = known(found.cpu[found.target] ?? []);
  return {
    count: sum('count'),
    live: sum('live'),
    // Tasks all stay until the end, so each has its most while the others have theirs; a point a second may miss it.
    liveMax: sum('liveMax'),
    joined: sum('joined'),
    failed: sum('failed'),
    bitrate: sum('bitrate'),
    packets,
    lost,
    loss: packets + lost > 0 ? lost / (packets + lost) : null,
    freezes: sum('freezes'),
    frozenS: sum('frozenS'),
    latencyP50: worst('latencyMs', 'p50'),
    latencyP99: worst('latencyMs', 'p99'),
    firstPictureP50: worst('firstPictureMs', 'p50'),
    firstPictureP95: worst('firstPictureMs', 'p95'),
    joinP95: worst('joinMs', 'p95'),
    jitterP95: worst('jitterMs', 'p95'),
    refused: total(tasks.map((task) => task.decoded?.refused)),
    cores: total(found.parts.map(({ results }) => results.run.cores)),
    targetCpu: cpu.length ? total(cpu) / cpu.length : null,
    targetCpuMax: most(cpu),
  };
}

/**
 * What is compared: key, title, which way is good, and what difference is none.
 * @type {[string, string, 'less'|'more', 'count'|'bitrate'|'share'|'ms'|'seconds'|'percent'|'cores', number][]}
 */
export const COMPARED = [
  ['liveMax', 'Agents there at once', 'more', 'count', 0],
  ['failed', 'Agents that failed', 'less', 'count', 0],
  ['bitrate', 'Rate, all together', 'more', 'bitrate', 50_000],
  ['loss', 'Packets that never came', 'less', 'share', 0.0005],
  ['freezes', 'Freezes', 'less', 'count', 0],
  ['frozenS', 'Time frozen', 'less', 'seconds', 0.2],
  ['latencyP50', 'Latency, median', 'less', 'ms', 2],
  ['latencyP99', 'Latency, 99 in 100', 'less', 'ms', 5],
  ['firstPictureP50', 'First picture, median', 'less', 'ms', 20],
  ['firstPictureP95', 'First picture, 95 in 100', 'less', 'ms', 40],
  ['joinP95', 'Connected, 95 in 100', 'less', 'ms', 20],
  ['jitterP95', 'Jitter, 95 in 100', 'less', 'ms', 2],
  ['refused', 'Pictures that cannot be decoded', 'less', 'count', 0],
  ['targetCpu', 'CPU of the target, mean', 'less', 'percent', 2],
  ['targetCpuMax', 'CPU of the target, highest', 'less', 'percent', 5],
  ['cores', 'Cores that the agents took', 'less', 'cores', 0.1],
];

const ORDER = ['worse', 'better', 'same', 'unknown'];
/** A tenth more or less is what a machine does by itself. */
const NOISE = 0.1;

/**
 * Holds one run against another; what got worse stands first.
 * @param {Record<string, number|null>} before @param {Record<string, number|null>} after
 * @returns {{key: string, title: string, unit: string, before: number|null, after: number|null, change: number|null, verdict: 'worse'|'better'|'same'|'unknown'}[]}
 */
export function compare(before, after) {
  const all = COMPARED.map(([key, title, good, unit, floor]) => {
    const [a, b] = [before[key] ?? null, after[key] ?? null];
    const row = { key, title, unit, before: a, after: b };
    if (a === null || b === null) return { ...row, change: null, verdict: /** @type {const} */ ('unknown') };
    const difference = b - a;
    const change = a === 0 ? null : difference / Math.abs(a);
    // What is counted one by one has no noise, but for large numbers.
    const isSame = Math.abs(difference) <= Math.max(floor, Math.abs(a) * (floor === 0 && Math.abs(a) < 20 ? 0 : NOISE));
    const verdict = isSame ? 'same' : difference > 0 === (good === 'more') ? 'better' : 'worse';
    return { ...row, change, verdict: /** @type {'same'|'better'|'worse'} */ (verdict) };
  });
  return all.sort((one, other) => ORDER.indexOf(one.verdict) - ORDER.indexOf(other.verdict));
}

/** @param {string|number|null|undefined} value */
function cell(value) {
  let text = value == null ? '' : String(value);
  // A table program takes what begins so for a formula.
  if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A run second by second, as a table (RFC 4180). @param {Found} found */
export function csv(found) {
  const fields = ['at', 'seconds', 'live', 'failed', 'bitrate', 'lost', 'freezes', 'latencyP50Ms', 'latencyP99Ms', 'cores', 'memoryBytes'];
  const servers = Object.keys(found.cpu);
  const head = ['run', ...fields, ...servers.map((node) => `cpu % of ${node}`)];
  const lines = series(found.parts).map((point, index) => [found.name, ...fields.map((field) => point[field]), ...servers.map((node) => found.cpu[node]?.[index])]);
  return [head, ...lines].map((line) => line.map(cell).join(',')).join('\r\n') + '\r\n';
}

/** A run as a file for programs. @param {Found} found */
export const json = (found) => `${JSON.stringify({ name: found.name, target: found.target, summary: summary(found), servers: found.parts.map(({ node, results }) => ({ node, ...results })), cpuPercent: found.cpu }, null, 2)}\n`;

/**
 * The same run with no more points than these, for keeping.
 * @param {Found} found @param {number} points_max
 * @returns {Found}
 */
export function thinned(found, points_max) {
  const length = Math.max(1, ...found.parts.map(({ results }) => results.series.length));
  const step = Math.ceil(length / points_max);
  if (step === 1) return structuredClone(found);
  const some = (/** @type {any[]} */ list) => list.filter((_, index) => index % step === 0);
  return {
    ...found,
    parts: found.parts.map(({ node, results }) => ({ node, results: { ...results, series: some(results.series) } })),
    cpu: Object.fromEntries(Object.entries(found.cpu).map(([node, values]) => [node, some(values)])),
  };
}
