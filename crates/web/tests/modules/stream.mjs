// Streams of the SDK: their states, their errors, what they let go of.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HeadwaterError, createSession, devices } from '../../assets/sdk/headwater.js';
import { Backoff } from '../../assets/sdk/backoff.js';
import { ANSWER, Display, Media, Peer, Track, install, serve, until } from './browser.mjs';

const FAST = { delayMinMs: 1, delayMaxMs: 5 };
const accepted = { status: 201, headers: { location: '/session', etag: '"t"' }, body: ANSWER };
const refused = (status) => ({ status, headers: { 'content-type': 'text/plain' }, body: 'so it is' });

/** A server whose answers to offers can be changed, and a session with it. */
async function begin(context, devices = {}) {
  const answers = { post: accepted };
  const server = await serve(({ method }) => (method === 'POST' ? answers.post : { status: method === 'PATCH' ? 405 : 200 }));
  context.after(() => server.close());
  install(server.address, devices);
  const session = createSession({ url: server.address, token: 'k', transport: 'whip' });
  context.after(() => session.close());
  return { ...server, session, answers };
}

/** Follows the states of a stream. */
function follow(stream) {
  const states = [];
  stream.addEventListener('state', ({ detail }) => states.push(detail));
  return states;
}

/** A machine with camera and microphone. */
const machine = () => {
  const opened = [];
  const give = async (wishes) => {
    const tracks = ['audio', 'video'].filter((kind) => wishes[kind]).map((kind) => new Track(kind));
    opened.push(...tracks);
    return new Media(tracks);
  };
  return { opened, getUserMedia: give, getDisplayMedia: give };
};

/** Starts it, and lets its media connect. */
async function connect(stream, verb) {
  const before = Peer.all.length;
  const started = stream[verb]();
  await until('a connection is made', () => Peer.all.length > before && Peer.last.currentRemoteDescription);
  Peer.last.become('connected');
  return started;
}

test('playing: connecting, playing, stopped, and nothing is kept', async (context) => {
  const { session, asked } = await begin(context);
  const display = new Display();
  const stream = session.createStream({ name: 'a/b.c', display });
  const states = follow(stream);
  assert.equal(await connect(stream, 'play'), stream);
  assert.equal(display.srcObject, stream.media);
  assert.deepEqual(session.streams, [stream]);
  await stream.stop();
  assert.deepEqual(states, ['connecting', 'playing', 'stopped']);
  assert.deepEqual([asked[0].url, asked[0].headers.authorization, asked.at(-1).method], ['/a/b.c/whep', 'Bearer k', 'DELETE']);
  assert.deepEqual([display.srcObject, stream.peer, session.streams.length], [null, null, 0]);
});

test('publishing opens camera and microphone and lets go of them', async (context) => {
  const devices = machine();
  const { session, asked } = await begin(context, devices);
  const stream = session.createStream({ name: 'cam' });
  const states = follow(stream);
  await connect(stream, 'publish');
  assert.equal(asked[0].url, '/cam/whip');
  assert.deepEqual(Peer.last.senders.map(({ track, options }) => [track.kind, options.direction]), [['audio', 'sendonly'], ['video', 'sendonly']]);
  await stream.stop();
  assert.deepEqual(states, ['connecting', 'publishing', 'stopped']);
  assert.ok(devices.opened.length === 2 && devices.opened.every(({ readyState }) => readyState === 'ended'));
});

test('tracks of a stream of the page stay the page’s', async (context) => {
  const { session } = await begin(context);
  const mine = new Track('video');
  const stream = session.createStream({ name: 'x', source: new Media([mine]) });
  await connect(stream, 'publish');
  await stream.stop();
  assert.equal(mine.readyState, 'live');
});

test('simulcast and bitrate reach the encoder', async (context) => {
  const { session } = await begin(context);
  const stream = session.createStream({ name: 'x', source: new Media([new Track('video')]), simulcast: true, maxBitrate: 900_000 });
  await connect(stream, 'publish');
  const { sendEncodings } = Peer.last.senders[0].options;
  assert.deepEqual(sendEncodings.map(({ rid, scaleResolutionDownBy, maxBitrate }) => [rid, scaleResolutionDownBy, maxBitrate]), [
    ['q', 4, undefined],
    ['h', 2, undefined],
    ['f', undefined, 900_000],
  ]);
});

test('each thing that the browser refuses has a code, a sentence and advice', async (context) => {
  const { session } = await begin(context);
  const cases = [
    ['NotAllowedError', 'camera', 'permission-denied'],
    ['NotFoundError', 'camera', 'no-device'],
    ['OverconstrainedError', 'camera', 'no-device'],
    ['NotReadableError', 'camera', 'device-busy'],
    ['NotAllowedError', 'screen', 'cancelled'],
    ['NotFoundError', 'screen', 'no-device'],
  ];
  for (const [name, source, code] of cases) {
    const refuse = async () => {
      throw new DOMException('no', name);
    };
    install(session.url.href, { getUserMedia: refuse, getDisplayMedia: refuse });
    const stream = session.createStream({ name: 'x', source });
    const error = await stream.publish().catch((error) => error);
    assert.ok(error instanceof HeadwaterError && error === stream.error, name);
    assert.deepEqual([error.code, stream.state], [code, 'failed'], name);
    assert.match(`${error.message} ${error.advice}`, /^[A-Z].*\. [A-Z].*\.$/, name);
  }
  globalThis.isSecureContext = false;
  assert.equal((await session.createStream({ name: 'x' }).publish().catch((error) => error)).code, 'insecure-origin');
  assert.equal((await devices().catch((error) => error)).code, 'insecure-origin');
});

test('what the server refuses at first is told at once', async (context) => {
  const { session, answers } = await begin(context, machine());
  for (const [verb, status, code] of [['play', 404, 'not-live'], ['publish', 409, 'name-in-use'], ['play', 503, 'busy'], ['play', 403, 'refused']]) {
    answers.post = refused(status);
    const stream = session.createStream({ name: 'x' });
    const error = await stream[verb]().catch((error) => error);
    assert.deepEqual([error.code, error.message, stream.state], [code, 'So it is.', 'failed']);
  }
});

test('a viewer that may wait plays once the stream is there', async (context) => {
  const { session, answers, asked } = await begin(context);
  answers.post = refused(404);
  const stream = session.createStream({ name: 'x', wait: true, reconnect: FAST });
  const played = stream.play();
  await until('it asks again', () => asked.length >= 3);
  answers.post = accepted;
  await until('it is accepted', () => Peer.last.currentRemoteDescription);
  Peer.last.become('connected');
  await played;
  assert.equal(stream.state, 'playing');
});

test('a lost session is made anew, whatever is in the way for now, and the element stays', async (context) => {
  const { session, answers, asked } = await begin(context, machine());
  const display = new Display();
  const stream = session.createStream({ name: 'x', display, reconnect: FAST });
  const states = follow(stream);
  await connect(stream, 'publish');
  const { media } = stream;
  Peer.last.become('closed');
  for (const status of [409, 503, 500]) {
    answers.post = refused(status);
    const before = asked.length;
    await until('it asks again', () => asked.length > before + 1);
    assert.equal(stream.state, 'reconnecting');
  }
  answers.post = accepted;
  await until('it is accepted', () => Peer.last.currentRemoteDescription);
  Peer.last.become('connected');
  assert.deepEqual(states, ['connecting', 'publishing', 'reconnecting', 'publishing']);
  assert.ok(display.srcObject === media && media === stream.media && media.getTracks().length === 2);
});

test('a stream that may not reconnect, or has tried enough, fails', async (context) => {
  const { session, answers } = await begin(context);
  for (const reconnect of [false, { ...FAST, attemptsMax: 2 }]) {
    answers.post = accepted;
    const stream = session.createStream({ name: 'x', reconnect });
    await connect(stream, 'play');
    answers.post = refused(500);
    Peer.last.become('closed');
    await until('it has failed', () => stream.state === 'failed');
    assert.equal(stream.error.code, reconnect ? 'server' : 'network');
  }
});

test('stopping while it connects ends everything', async (context) => {
  const devices = machine();
  const { session, asked } = await begin(context, devices);
  const stream = session.createStream({ name: 'x' });
  const published = stream.publish().catch((error) => error.code);
  await stream.stop();
  assert.equal(await published, 'stopped');
  await until('the camera is off', () => devices.opened.length > 0 && devices.opened.every(({ readyState }) => readyState === 'ended'));
  assert.equal(asked.length, 0);
});

test('a refusal that comes after the stop changes nothing', async (context) => {
  let refuse;
  const { session } = await begin(context, { getUserMedia: () => new Promise((_, reject) => (refuse = reject)) });
  const stream = session.createStream({ name: 'x' });
  const states = follow(stream);
  stream.publish().catch(() => {});
  await until('it asks', () => refuse);
  await stream.stop();
  refuse(new DOMException('no', 'NotAllowedError'));
  await new Promise((done) => setTimeout(done, 20));
  assert.deepEqual([states, stream.error], [['connecting', 'stopped'], null]);
});

test('another camera takes the place of the old while the session goes on', async (context) => {
  const devices = machine();
  const { session, asked } = await begin(context, devices);
  const stream = session.createStream({ name: 'x' });
  await connect(stream, 'publish');
  stream.muteVideo();
  await stream.useCamera('other');
  const sent = Peer.last.senders.find(({ track }) => track.kind === 'video').track;
  assert.deepEqual([sent, sent.enabled], [devices.opened[2], false]);
  assert.deepEqual(devices.opened.map(({ kind, readyState }) => `${kind} ${readyState}`), ['audio live', 'video ended', 'video live']);
  assert.equal(asked.filter(({ method }) => method === 'POST').length, 1);
});

test('the camera comes back when the visitor ends the sharing of the screen', async (context) => {
  const devices = machine();
  const { session } = await begin(context, devices);
  const stream = session.createStream({ name: 'x' });
  await connect(stream, 'publish');
  await stream.useScreen();
  const screen = devices.opened.at(-1);
  assert.equal(screen.contentHint, 'detail');
  screen.dispatchEvent(new Event('ended'));
  await until('the camera is back', () => devices.opened.length === 4 && stream.media.getTracks().includes(devices.opened[3]));

  const alone = session.createStream({ name: 'y', source: 'screen' });
  await connect(alone, 'publish');
  devices.opened.at(-1).dispatchEvent(new Event('ended'));
  assert.equal(alone.state, 'stopped');
});

test('mute is kept by each track, and told', async (context) => {
  const { session } = await begin(context, machine());
  const stream = session.createStream({ name: 'x' });
  const told = [];
  stream.addEventListener('mute', ({ detail }) => told.push(detail));
  await connect(stream, 'publish');
  stream.muteAudio();
  stream.muteVideo();
  stream.unmuteVideo();
  assert.deepEqual(stream.media.getTracks().map(({ kind, enabled }) => [kind, enabled]), [['audio', false], ['video', true]]);
  assert.deepEqual(told.at(-1), { audio: true, video: false });
  assert.deepEqual([stream.audioMuted, stream.videoMuted], [true, false]);
});

test('a microphone that is unplugged is told of, and the stream goes on', async (context) => {
  const devices = machine();
  const { session } = await begin(context, devices);
  const stream = session.createStream({ name: 'x' });
  const told = [];
  stream.addEventListener('problem', ({ detail }) => told.push(detail.code));
  await connect(stream, 'publish');
  devices.opened[0].dispatchEvent(new Event('ended'));
  assert.deepEqual([told, stream.state], [['device-lost'], 'publishing']);
});

test('what makes no sense is refused', async (context) => {
  const { session } = await begin(context, machine());
  assert.throws(() => session.createStream({}), { code: 'invalid' });
  const stream = session.createStream({ name: 'x', source: new Media() });
  assert.equal((await stream.publish().catch((error) => error)).code, 'invalid');
  await assert.rejects(stream.useCamera(), { code: 'invalid' });
  const playing = session.createStream({ name: 'y' });
  await connect(playing, 'play');
  await assert.rejects(playing.play(), { code: 'invalid' });
});

test('tries come later and later, spread by chance, never before the server wants', () => {
  const backoff = new Backoff({ delayMinMs: 100, delayMaxMs: 1000, attemptsMax: 6 });
  const delays = Array.from({ length: 7 }, () => backoff.next());
  const most = [100, 200, 400, 800, 1000, 1000];
  most.forEach((limit, index) => assert.ok(delays[index] >= limit / 2 && delays[index] <= limit, `${index}: ${delays[index]}`));
  assert.equal(delays[6], null);
  backoff.reset();
  assert.equal(backoff.next(60_000), 60_000);
  const first = Array.from({ length: 50 }, () => new Backoff().next());
  assert.ok(new Set(first).size > 40, 'thousands do not come back in the same instant');
});
