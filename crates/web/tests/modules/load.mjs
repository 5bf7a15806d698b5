// Runs of load agents: what the Console orders, and what it makes of what came of it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { bridged } from '../../assets/console/load/charts.js';
import { addresses, compare, csv, json, numbered, series, state, summary, targetOf, tasksOf, thinned } from '../../assets/console/load/model.js';
import { figure, share } from '../../assets/console/load/words.js';

const spread = (p50) => ({ count: 10, min: 1, p50, p95: p50 * 2, p99: p50 * 3, max: 99 });
const point = (at, live, latency = null) => ({ at, seconds: 1, live, failed: 0, bitrate: live * 1000, lost: at, freezes: 0, latencyP50Ms: latency, latencyP99Ms: latency, cores: 0.5, memoryBytes: 7 });
const task = (more = {}) => ({ what: 'play', target: 'http://a/cam/whep', count: 10, live: 10, liveMax: 10, joined: 10, failed: 0, failures: [], packets: 900, lost: 100, bitrate: 5e6, freezes: 1, frozenS: 0.5, latencyMs: spread(20), firstPictureMs: null, joinMs: spread(5), jitterMs: null, decoded: { refused: 0 }, ...more });
const part = (node, tasks, points, state = 'HOLDING') => ({ node, results: { run: { uri: 'load://x', state, started: 1, seconds: 9, tasks, cores: 0.5, memoryBytes: 7 }, checks: [], series: points } });
const found = (parts, cpu = {}) => ({ name: 'x', parts, cpu, target: 'origin' });

test('targets are made of a kind, a server and a name', () => {
  assert.deepEqual(addresses('wss://a.example:8443'), { http: 'https://a.example:8443', ws: 'wss://a.example:8443', rtmp: 'rtmp://a.example' });
  const whep = { what: 'play', protocol: 'WHEP', target: '{http}/{name}/whep', takesStream: false };
  assert.equal(targetOf(whep, 'ws://[::1]:8080', 'hall/north 1-{i}'), 'http://[::1]:8080/hall/north%201-{i}/whep');
  assert.equal(targetOf({ ...whep, target: '{ws}' }, 'ws://10.0.0.7:8080', 'cam'), 'ws://10.0.0.7:8080');
  // What looks like a hole in a name is one no more.
  assert.equal(targetOf(whep, 'ws://a', '{ws}'), 'http://a/%7Bws%7D/whep');
  assert.deepEqual([numbered('publish', 'load', 3), numbered('publish', 'load', 1), numbered('pairs', 'l-{i}', 3), numbered('play', 'load', 3)], ['load-{i}', 'load', 'l-{i}', 'load']);
});

test('agents of several servers have numbers of their own', () => {
  assert.deepEqual(tasksOf([{ count: 10 }, { count: 10, streams: 2 }], 1).map(({ first }) => first), [11, 3]);
  assert.deepEqual(tasksOf([{ count: 10 }], 0).map(({ first }) => first), [1]);
});

test('what several servers have found is one run', () => {
  const run = found([part('a', [task()], [point(1, 5, 10), point(2, 10, 12)]), part('b', [task({ live: 3, latencyMs: spread(40), packets: 1000, lost: 0 })], [point(1, 3, 30)], 'RAMPING')], { origin: [50, null, 70] });
  const all = summary(run);
  assert.deepEqual([all.live, all.count, all.liveMax, all.bitrate, all.lost, all.loss], [13, 20, 20, 1e7, 100, 100 / 2000]);
  assert.deepEqual([all.latencyP50, all.latencyP99, all.firstPictureP95, all.targetCpu, all.targetCpuMax], [40, 120, null, 60, 70]);
  assert.deepEqual(series(run.parts).map(({ live, latencyP50Ms }) => [live, latencyP50Ms]), [[8, 30], [10, 12]]);
  assert.equal(state(run.parts), 'RAMPING');
  assert.equal(state([part('a', [], [], 'DONE'), part('b', [], [], 'FAILED')]), 'FAILED');
  assert.equal(summary(found([])).loss, null);
});

test('what got worse is told from what a machine does by itself', () => {
  const before = summary(found([part('a', [task()], [point(1, 10)])]));
  const verdicts = (after) => Object.fromEntries(compare(before, { ...before, ...after }).map(({ key, verdict }) => [key, verdict]));
  assert.ok(Object.values(verdicts({})).every((verdict) => verdict === 'same' || verdict === 'unknown'));
  const after = verdicts({ latencyP50: 21, latencyP99: 90, failed: 1, liveMax: 9, bitrate: 9e6, loss: 0.01 });
  assert.deepEqual([after.latencyP50, after.latencyP99, after.failed, after.liveMax, after.bitrate, after.loss], ['same', 'worse', 'worse', 'worse', 'better', 'better']);
  assert.equal(after.firstPictureP50, 'unknown');
  const [first] = compare(before, { ...before, latencyP99: 90 });
  assert.deepEqual([first.key, first.change], ['latencyP99', 0.5]);
});

test('a run goes out as a table and as JSON that say the same', () => {
  const run = { ...found([part('a', [task()], [point(1, 5, 10), point(2, 10)])], { origin: [50] }), name: '=1+1,"x"' };
  assert.deepEqual(csv(run).split('\r\n'), [
    'run,at,seconds,live,failed,bitrate,lost,freezes,latencyP50Ms,latencyP99Ms,cores,memoryBytes,cpu % of origin',
    `"'=1+1,""x""",1,1,5,0,5000,1,0,10,10,0.5,7,50`,
    `"'=1+1,""x""",2,1,10,0,10000,2,0,,,0.5,7,`,
    '',
  ]);
  const read = JSON.parse(json(run));
  assert.deepEqual([read.name, read.servers[0].node, read.servers[0].run.tasks[0].packets, read.summary.lost, read.cpuPercent.origin], ['=1+1,"x"', 'a', 900, 100, [50]]);
});

test('what is kept has no more points than a browser has room for', () => {
  const points = Array.from({ length: 1500 }, (_, index) => point(index, 1));
  const small = thinned(found([part('a', [task()], points)], { a: points.map(() => 1) }), 600);
  assert.deepEqual([small.parts[0].results.series.length, small.cpu.a.length], [500, 500]);
  assert.equal(thinned(found([part('a', [], points.slice(0, 600))]), 600).parts[0].results.series.length, 600);
});

test('numbers of runs read as people write them', () => {
  assert.deepEqual([share(0), share(0.00012), share(0.5), share(null)], ['0 %', '0.01 %', '50.0 %', '']);
  assert.deepEqual([figure(null, 'ms'), figure(0, 'bitrate'), figure(1234, 'count'), figure(2.345, 'cores')], ['–', '0 kbit/s', '1,234', '2.35']);
  assert.deepEqual(bridged([null, 5, null, null, 7, ...Array(6).fill(null)]), [null, 5, 5, 5, 7, 7, 7, 7, 7, null, null]);
});
