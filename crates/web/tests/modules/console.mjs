// What the Console makes of the API's answers, and what it asks.
import assert from 'node:assert/strict';
import test from 'node:test';
import { niceCeiling, pathOf } from '../../assets/console/chart.js';
import { CallError, Client } from '../../assets/console/client.js';
import { History, bytes, percent } from '../../assets/console/figures.js';
import { beginning, copies, merge } from '../../assets/console/relays.js';

test('rates are made from counters by the clock of the server', () => {
  const history = new History();
  const figures = (uptimeMs, cpuSeconds, bytesIn, bytesOut) => ({ uptimeMs, cpuSeconds, bytesIn, bytesOut, processors: 2, memoryBytes: 5, streams: { RTMP: 1, WebRTC: 2 }, viewers: {}, clients: 0 });
  history.add(figures(1000, 1, 0, 0));
  assert.deepEqual([history.last.cpu, history.last.out, history.last.streams], [null, null, 3]);
  history.add(figures(3000, 2, 1000, 50_000));
  assert.deepEqual([history.last.cpu, history.last.in, history.last.out], [25, 4000, 200_000]);
  history.add(figures(3000, 2, 1000, 50_000)); // an answer that came twice
  assert.equal(history.samples.length, 2);
  history.add(figures(500, 0, 0, 0)); // it was started anew
  assert.deepEqual([history.samples.length, history.last.out], [1, null]);
  for (let at = 0; at < 500; at += 1) history.add(figures(1000 + at * 1000, at, at, at));
  assert.equal(history.samples.length, 90);
});

test('figures read as people write them', () => {
  assert.deepEqual([bytes(0), bytes(999), bytes(312_400_000), bytes(1_500_000_000), bytes(123e9)], ['', '999 B', '312 MB', '1.5 GB', '123 GB']);
  assert.deepEqual([percent(null), percent(0), percent(12.34, 1), percent(NaN)], ['', '0 %', '12.3 %', '']);
});

test('a line has gaps where nothing is known', () => {
  const path = pathOf([1, null, 3, 4], (index) => index, (value) => value);
  assert.equal(path, 'M0.0 1.0M2.0 3.0L3.0 4.0');
  assert.deepEqual([0, 1, 1.2, 37, 500, 501].map(niceCeiling), [1, 1, 2, 50, 500, 1000]);
});

test('the address of a relay says which call begins it', () => {
  const form = (url, local = '', remote = '') => ({ url, local, remote, transport: 'TCP' });
  const cases = [
    [false, form('rtmp://a/live/cam'), ['pull/rtmp/pull', { uri: 'rtmp://a/live/cam' }]],
    [false, form('rtmps://a/live', 'cam', 'key'), ['pull/rtmp/pull', { uri: 'rtmps://a/live/key', localStreamName: 'cam' }]],
    [false, form('wss://a:8443', 'here', 'there'), ['pull/pull', { uri: 'wss://a:8443', transport: 'TCP', localStreamName: 'here', remoteStreamName: 'there' }]],
    [true, form('https://a/cam/whip', 'cam'), ['pull/push', { uri: 'https://a/cam/whip', transport: 'TCP', localStreamName: 'cam' }]],
    [true, form('rtmp://a/live', 'cam'), ['push/startup', { streamName: 'cam', rtmpUrl: 'rtmp://a/live/cam', rtmpTransponderFullUrl: true }]],
    [true, form('rtmp://a/live/', 'cam', 'key'), ['push/startup', { streamName: 'cam', rtmpUrl: 'rtmp://a/live/key', rtmpTransponderFullUrl: true }]],
    [true, form('rtmp://a/live/key?token=t', 'cam'), ['push/startup', { streamName: 'cam', rtmpUrl: 'rtmp://a/live/key?token=t', rtmpTransponderFullUrl: true }]],
  ];
  for (const [sends, given, expected] of cases) assert.deepEqual(beginning(sends, given), expected);
});

test('copies of a stream have their number behind the name that is new', () => {
  const form = (url, local, remote = '') => ({ url, local, remote, transport: 'UDP' });
  const names = (sends, given, count) => copies(sends, given, count).map(([call, body]) => [call, body.localStreamName ?? body.streamName, body.remoteStreamName ?? body.uri ?? body.rtmpUrl]);
  assert.deepEqual(names(false, form('wss://a', 'x', 'cam'), 2), [['pull/pull', 'x1', 'cam'], ['pull/pull', 'x2', 'cam']]);
  assert.deepEqual(names(false, form('rtmp://a/live/cam', 'x'), 2), [['pull/rtmp/pull', 'x1', 'rtmp://a/live/cam'], ['pull/rtmp/pull', 'x2', 'rtmp://a/live/cam']]);
  assert.deepEqual(names(true, form('wss://a', 'cam'), 2), [['pull/push', 'cam', 'cam1'], ['pull/push', 'cam', 'cam2']]);
  assert.deepEqual(names(true, form('https://a/hall/cam/whip?t=1', 'cam'), 2).map(([, , to]) => to), ['https://a/hall/cam1/whip?t=1', 'https://a/hall/cam2/whip?t=1']);
  assert.deepEqual(names(true, form('rtmp://a/live', 'cam'), 2).map(([, , to]) => to), ['rtmp://a/live/cam1', 'rtmp://a/live/cam2']);
  assert.deepEqual([copies(false, form('wss://a', 'x'), 1), copies(false, form('wss://a', 'x'), 5000).length], [[beginning(false, form('wss://a', 'x'))], 200]);
});

test('each relay is listed once, with the call that ends it', () => {
  const rtmp = [{ localMediaSessionId: '1', localStreamName: 'cam10', uri: 'rtmp://a/b/c', status: 'PENDING', info: 'refused' }];
  const webrtc = [
    { localMediaSessionId: '2', localStreamName: 'cam2', uri: 'wss://a', status: 'PROCESSED_REMOTE' },
    { localMediaSessionId: '3', localStreamName: 'x', uri: 'wss://b', published: true, status: 'NEW' },
  ];
  const pushes = [{ mediaSessionId: '3', localStreamName: 'x', rtmpUrl: 'wss://b', status: 'NEW' }, { mediaSessionId: '4', localStreamName: 'y', rtmpUrl: 'rtmp://c/d', status: 'FAILED' }];
  const all = merge(rtmp, webrtc, pushes);
  assert.deepEqual(all.map(({ id, sends, kind, end }) => [id, sends, kind, end[0]]), [
    ['2', false, 'WebRTC', 'pull/terminate'],
    ['1', false, 'RTMP', 'pull/rtmp/terminate'],
    ['3', true, 'WebRTC', 'pull/terminate'],
    ['4', true, 'RTMP', 'push/terminate'],
  ]);
  assert.equal(all[1].problem, 'refused');
});

test('a call carries credentials in its header alone, and says what was wrong', async () => {
  const asked = [];
  const answers = [
    new Response('{"code":"unauthorised","message":"No."}', { status: 401 }),
    new Response('{"node":"one","caller":"anna","callerRole":"operator"}'),
    new Response('{"code":"not_found","message":"None."}', { status: 404 }),
    new Response('{"code":"unknown_node","message":"Who?"}', { status: 404 }),
    new Response('bad gateway', { status: 502 }),
    new Response('', { status: 200 }),
  ];
  globalThis.fetch = async (address, options) => {
    asked.push([address, options]);
    const answer = answers.shift();
    if (!answer) throw new TypeError('failed to fetch');
    return answer;
  };
  const client = new Client();
  await assert.rejects(client.signInAs('änna', 'x:y'), (error) => error instanceof CallError && error.status === 401 && error.message === 'No.');
  assert.equal(client.signedIn, false);
  await client.signInAs('änna', 'x:y');
  assert.deepEqual([client.may('operator'), client.may('admin')], [true, false]);
  assert.deepEqual(await client.call('a', {}, { node: 'two', empty: [] }), []);
  await assert.rejects(client.call('a', {}, { node: 'two', empty: [] }), { code: 'unknown_node' });
  await assert.rejects(client.call('a', {}, { node: 'one' }), /502: bad gateway/);
  assert.equal(await client.call('a'), null);
  let lost = 0;
  client.addEventListener('lost', () => (lost += 1));
  for (let times = 0; times < 2; times += 1) await assert.rejects(client.call('a'), { status: 0, code: 'unreachable' });
  assert.deepEqual([lost, client.reachable], [1, false]);
  for (const [address, { headers, credentials }] of asked) {
    assert.match(address, /^\/rest-api\/[a-z/]+$/);
    assert.equal(credentials, 'omit');
    assert.equal(headers.authorization, `Basic ${Buffer.from('änna:x:y').toString('base64')}`);
  }
  assert.deepEqual(asked.map(([, { headers }]) => headers['headwater-node']), [undefined, undefined, 'two', 'two', undefined, undefined, undefined, undefined]);
});
