// A session over WHIP and WHEP: what is asked of the server, and what its answers mean.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HeadwaterError } from '../../assets/sdk/errors.js';
import { HttpSignalling, renew } from '../../assets/sdk/http.js';
import { Link, askForStereo } from '../../assets/sdk/link.js';
import { ANSWER, OFFER, Peer, install, serve, until } from './browser.mjs';

const ACCEPTED = { status: 201, headers: { location: '/cam/whep/7', etag: '"t"' }, body: ANSWER };
const NEW_ICE = 'a=ice-ufrag:srv2\r\na=ice-pwd:pass2\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:2 1 udp 1 192.0.2.10 8189 typ host\r\n';

/** A server that accepts, and a link to it. */
async function begin(context, post = () => ACCEPTED, patch = () => ({ status: 204 })) {
  const server = await serve((request) => ({ POST: post, PATCH: patch, DELETE: () => ({ status: 200 }) })[request.method](request));
  context.after(() => server.close());
  install(`${server.address}/page/`);
  const link = new Link(new HttpSignalling('/cam/whep', { token: 'secret' }));
  const told = [];
  for (const type of ['connected', 'interrupted', 'ended']) link.addEventListener(type, (event) => told.push(event.detail?.code ?? type));
  return { ...server, link, peer: Peer.last, told };
}
const said = (asked) => asked.map(({ method, url }) => `${method} ${url}`);

test('a session is asked for, its candidates follow, and it is given back', async (context) => {
  const { link, peer, asked } = await begin(context);
  await link.open();
  await until('the candidates are sent', () => asked.length === 2);
  await link.close();
  const [post, patch] = asked;
  assert.deepEqual(said(asked), ['POST /cam/whep', 'PATCH /cam/whep/7', 'DELETE /cam/whep/7']);
  assert.deepEqual([post.headers['content-type'], post.headers.authorization], ['application/sdp', 'Bearer secret']);
  assert.equal(patch.headers['if-match'], '"t"');
  assert.match(patch.body, /^a=ice-ufrag:abcd1\r\na=ice-pwd:efgh\r\nm=audio .*\r\na=mid:0\r\na=candidate:1 /);
  assert.equal(peer.connectionState, 'closed');
});

test('a server without an entity tag is sent no candidates', async (context) => {
  const { link, asked } = await begin(context, () => ({ ...ACCEPTED, headers: { location: 'session' } }));
  await link.open();
  await new Promise((done) => setTimeout(done, 150));
  await link.close();
  assert.deepEqual(said(asked), ['POST /cam/whep', 'DELETE /cam/session']);
});

test('each refusal has its code and the words of the server', async (context) => {
  const cases = [
    [404, 'text/plain', 'not here', 'not-live', 'Not here.'],
    [409, 'text/plain', 'no tracks yet', 'starting', 'No tracks yet.'],
    [401, 'application/json', '{"message":"a token is needed"}', 'refused', 'A token is needed.'],
    [403, 'application/problem+json', '{"title":"No","detail":"not you"}', 'refused', 'Not you.'],
    [406, 'text/plain', 'no codec in common', 'codec', 'No codec in common.'],
    [503, 'text/html', '<h1>Full</h1>', 'busy', 'The server answered 503.'],
    [500, 'text/plain', '', 'server', 'The server answered 500.'],
    [200, 'text/plain', 'hello!', 'server', 'Hello!'],
    [500, 'text/plain', 'X'.repeat(5000), 'server', `${'X'.repeat(300)}.`],
  ];
  for (const [status, type, body, code, message] of cases) {
    const { link, asked, peer } = await begin(context, () => ({ status, headers: { 'content-type': type, 'retry-after': '7' }, body }));
    const error = await link.open().catch((error) => error);
    assert.ok(error instanceof HeadwaterError, String(status));
    assert.deepEqual([error.code, error.message, error.status, error.retryAfter], [code, message, status, 7]);
    assert.ok(peer.connectionState === 'closed' && asked.length === 1, `${status}: nothing is left behind`);
  }
});

test('to a publisher the same status says something else', async (context) => {
  for (const [status, code] of [[409, 'name-in-use'], [404, 'invalid'], [400, 'invalid'], [503, 'busy']]) {
    const server = await serve(() => ({ status, headers: { 'content-type': 'text/plain' }, body: 'no' }));
    context.after(() => server.close());
    install(server.address);
    const error = await new HttpSignalling('/cam/whip', { publishes: true }).offer(OFFER).catch((error) => error);
    assert.equal(error.code, code, String(status));
  }
});

test('a server that is away is told from one that refuses', async () => {
  const { address, close } = await serve(() => ACCEPTED);
  install(address);
  await close();
  const error = await new Link(new HttpSignalling('/cam/whep')).open().catch((error) => error);
  assert.deepEqual([error.code, error.passing], ['network', true]);
});

test('an answer that the browser does not take gives the session back', async (context) => {
  const { link, asked } = await begin(context, () => ({ ...ACCEPTED, body: 'bad' }));
  const error = await link.open().catch((error) => error);
  await until('the session is given back', () => asked.at(-1).method === 'DELETE');
  assert.equal(error.code, 'server');
});

test('media that does not get through is told from a connection that broke', async (context) => {
  const { link, peer, told } = await begin(context);
  await link.open();
  peer.become('failed');
  assert.deepEqual(told, ['blocked']);
});

test('a broken path is looked for anew in the same session', async (context) => {
  const restarted = { status: 200, headers: { etag: '"t2"' }, body: NEW_ICE };
  const { link, peer, asked, told } = await begin(context, undefined, ({ headers }) => (headers['if-match'] === '*' ? restarted : { status: 204 }));
  await link.open();
  peer.become('connected');
  peer.become('failed');
  await until('ICE is restarted', () => peer.currentRemoteDescription.sdp.includes('srv2'));
  peer.become('connected');
  await until('new candidates are sent', () => asked.filter(({ headers }) => headers['if-match'] === '"t2"').length === 1);
  assert.match(asked.find(({ headers }) => headers['if-match'] === '*').body, /ice-ufrag:abcd2/);
  assert.deepEqual(told, ['connected', 'connected']);
  await link.close();
});

test('where ICE cannot be restarted the session ends once, and is given back', async (context) => {
  const { link, peer, asked, told } = await begin(context);
  await link.open();
  for (const state of ['connected', 'failed', 'failed']) peer.become(state);
  await until('it has ended', () => told.length === 2);
  await until('it is given back', () => asked.at(-1).method === 'DELETE');
  assert.deepEqual(told, ['connected', 'network']);
});

test('a session that the server ends is not given back', async (context) => {
  const { link, peer, asked, told } = await begin(context);
  await link.open();
  peer.become('connected');
  peer.become('closed');
  await new Promise((done) => setTimeout(done, 50));
  assert.deepEqual(told, ['connected', 'network']);
  assert.ok(!asked.some(({ method }) => method === 'DELETE'));
});

test('new credentials and candidates take the place of the old, and no candidates leave them', () => {
  const renewed = renew(ANSWER, NEW_ICE);
  assert.match(renewed, /a=mid:0\r\na=ice-ufrag:srv2\r\na=ice-pwd:pass2\r\na=candidate:2 /);
  assert.ok(!renewed.includes('candidate:1 '));
  assert.ok(renew(ANSWER, 'a=ice-ufrag:x\r\n').includes('candidate:1 '));
});

test('stereo is asked for once, and only of Opus', () => {
  assert.match(askForStereo(OFFER), /a=fmtp:111 minptime=10;stereo=1\r\n/);
  assert.equal(askForStereo(askForStereo(OFFER)), askForStereo(OFFER));
  assert.equal(askForStereo('v=0\r\na=rtpmap:8 PCMA/8000\r\n'), 'v=0\r\na=rtpmap:8 PCMA/8000\r\n');
});
