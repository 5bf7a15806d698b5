// The WHEP client against a server and a connection that are made up here.
import assert from 'node:assert/strict';
import test from 'node:test';
import { WhepClient, WhepError, askForStereo } from '../../assets/whep.js';

globalThis.CustomEvent ??= class extends Event {
  constructor(name, options) {
    super(name);
    this.detail = options?.detail ?? null;
  }
};

const OFFER = 'v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:efgh\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n';

class Peer extends EventTarget {
  connectionState = 'new';
  localDescription = null;
  closed = false;
  constructor() {
    super();
    Peer.last = this;
  }
  addTransceiver() {}
  getReceivers() {
    return [];
  }
  async createOffer() {
    return { type: 'offer', sdp: OFFER };
  }
  async setLocalDescription(description) {
    this.localDescription = description;
    const event = new Event('icecandidate');
    event.candidate = { candidate: 'candidate:1 1 udp 1 192.0.2.1 5000 typ host', sdpMid: '0' };
    queueMicrotask(() => this.dispatchEvent(event));
  }
  async setRemoteDescription({ sdp }) {
    if (sdp === 'bad') throw new Error('no');
  }
  become(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }
  close() {
    this.closed = true;
  }
}

/** Puts a server in the place of the network; gives the list of what it was asked. */
function serve(answer) {
  const asked = [];
  globalThis.RTCPeerConnection = Peer;
  globalThis.MediaStream = class {
    getTracks() {
      return [];
    }
    addTrack() {}
  };
  globalThis.document = { baseURI: 'http://server:8080/play/cam' };
  globalThis.fetch = async (url, options) => {
    asked.push({ url: String(url), ...options });
    if (options.method !== 'POST') return new Response(null, { status: 204 });
    const response = answer();
    Object.defineProperty(response, 'url', { value: String(url) });
    return response;
  };
  return asked;
}

const accepted = (headers = {}) => new Response('v=0', { status: 201, headers: { location: '/whep/7', etag: '"t"', ...headers } });
const settle = () => new Promise((done) => setTimeout(done, 150));

test('a session is asked for, its candidates follow, and it is given back', async () => {
  const asked = serve(accepted);
  const client = new WhepClient('/cam/whep', { token: 'secret' });
  await client.start();
  await settle();
  await client.stop();
  const [post, patch, end] = asked;
  assert.deepEqual([post.method, post.url, post.headers['content-type']], ['POST', 'http://server:8080/cam/whep', 'application/sdp']);
  assert.equal(post.headers.authorization, 'Bearer secret');
  assert.match(post.body, /stereo=1/);
  assert.deepEqual([patch.method, patch.url, patch.headers['if-match']], ['PATCH', 'http://server:8080/whep/7', '"t"']);
  assert.match(patch.body, /^a=ice-ufrag:abcd\r\na=ice-pwd:efgh\r\nm=audio .*\r\na=mid:0\r\na=candidate:1 /);
  assert.deepEqual([end.method, end.url, end.keepalive], ['DELETE', 'http://server:8080/whep/7', true]);
  assert.equal(asked.length, 3);
  assert.ok(Peer.last.closed);
});

test('a server without an entity tag is sent no candidates', async () => {
  const asked = serve(() => new Response('v=0', { status: 201, headers: { location: 'session' } }));
  const client = new WhepClient('/cam/whep');
  await client.start();
  await settle();
  await client.stop();
  assert.deepEqual(asked.map(({ method, url }) => `${method} ${url}`), [
    'POST http://server:8080/cam/whep',
    'DELETE http://server:8080/cam/session',
  ]);
});

test('each refusal has its kind and the words of the server', async () => {
  const cases = [
    [404, 'text/plain', 'not here', 'not-live', 'not here'],
    [409, 'text/plain', 'no tracks yet', 'starting', 'no tracks yet'],
    [401, 'application/json', '{"message":"a token is needed"}', 'refused', 'a token is needed'],
    [403, 'application/problem+json', '{"title":"No","detail":"not you"}', 'refused', 'not you'],
    [406, 'text/plain', 'no codec in common', 'codec', 'no codec in common'],
    [503, 'text/html', '<h1>Full</h1>', 'busy', 'the server answered 503'],
    [500, 'text/plain', '', 'server', 'the server answered 500'],
    [200, 'text/plain', 'hello', 'server', 'hello'],
    [500, 'text/plain', 'x'.repeat(5000), 'server', 'x'.repeat(300)],
  ];
  for (const [status, type, body, kind, message] of cases) {
    const asked = serve(() => new Response(body, { status, headers: { 'content-type': type, 'retry-after': '7' } }));
    const error = await new WhepClient('/cam/whep').start().catch((error) => error);
    assert.ok(error instanceof WhepError, String(status));
    assert.deepEqual([error.kind, error.message, error.status, error.retryAfter], [kind, message, status, 7]);
    assert.ok(Peer.last.closed && asked.length === 1, `${status}: nothing is left behind`);
  }
});

test('a server that is away is told from one that refuses', async () => {
  serve(() => {
    throw new TypeError('Failed to fetch');
  });
  const error = await new WhepClient('/cam/whep').start().catch((error) => error);
  assert.equal(error.kind, 'network');
});

test('an answer that the browser does not take gives the session back', async () => {
  const asked = serve(() => new Response('bad', { status: 201, headers: { location: '/whep/8' } }));
  const error = await new WhepClient('/cam/whep').start().catch((error) => error);
  await settle();
  assert.equal(error.kind, 'server');
  assert.equal(asked.at(-1).method, 'DELETE');
});

test('a lost connection ends the session once', async () => {
  const asked = serve(accepted);
  const client = new WhepClient('/cam/whep');
  const told = [];
  client.addEventListener('connected', () => told.push('connected'));
  client.addEventListener('lost', (event) => told.push(event.detail.kind));
  await client.start();
  const peer = Peer.last;
  for (const state of ['connected', 'disconnected', 'connected', 'failed', 'closed']) peer.become(state);
  await settle();
  assert.deepEqual(told, ['connected', 'network']);
  assert.equal(asked.filter(({ method }) => method === 'DELETE').length, 1);
});

test('stereo is asked for once, and only of Opus', () => {
  assert.match(askForStereo(OFFER), /a=fmtp:111 minptime=10;stereo=1\r\n/);
  assert.equal(askForStereo(askForStereo(OFFER)), askForStereo(OFFER));
  assert.equal(askForStereo('v=0\r\na=rtpmap:8 PCMA/8000\r\n'), 'v=0\r\na=rtpmap:8 PCMA/8000\r\n');
});
