// Sessions that ask a load balancer where to connect.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createSession } from '../../assets/sdk/headwater.js';
import { ANSWER, Peer, install, serve, until } from './browser.mjs';

const FAST = { delayMinMs: 1, delayMaxMs: 5 };
const accepted = { status: 201, headers: { location: '/session', etag: '"t"' }, body: ANSWER };

/** A server, a balancer that says `answers.balancer`, and a session that has nothing but its address. */
async function begin(context) {
  const edge = await serve(({ method }) => (method === 'POST' ? accepted : { status: 200 }));
  const { hostname, port } = new URL(edge.address);
  const answers = { balancer: { status: 200, body: JSON.stringify({ server: hostname, ws: Number(port), wss: 1 }) }, asked: 0 };
  const balancer = await serve(() => (answers.asked++, answers.balancer));
  context.after(() => Promise.all([edge.close(), balancer.close()]));
  install(balancer.address);
  const session = createSession({ lbUrl: '/balancer', transport: 'whip' });
  context.after(() => session.close());
  return { answers, edge, balancer, session, host: new URL(balancer.address).host };
}

test('a session goes where the balancer says, and streams that begin at once ask once', async (context) => {
  const { answers, edge, session } = await begin(context);
  const streams = ['a', 'b'].map((name) => session.createStream({ name, wait: true, reconnect: FAST }));
  streams.forEach((stream) => stream.play().catch(() => {}));
  await until('both streams connect', () => Peer.all.length >= 2);
  assert.equal(session.url.host, new URL(edge.address).host);
  assert.equal(answers.asked, 1);
});

test('that there is no server is said in words, and asked again by those who wait', async (context) => {
  const { answers, session, host } = await begin(context);
  const good = answers.balancer;
  const cases = [
    [{ status: 503 }, 'busy', `The load balancer ${host} has no server for us now.`],
    [{ status: 404 }, 'server', `The load balancer ${host} names no server: its answer has the status 404.`],
    [{ status: 200, body: 'hello' }, 'server', `The load balancer ${host} names no server that can be connected to.`],
    [{ status: 200, body: '{"server":"a b","ws":"x"}' }, 'server', `The load balancer ${host} names no server that can be connected to.`],
  ];
  for (const [answer, code, message] of cases) {
    answers.balancer = answer;
    await assert.rejects(session.createStream({ name: 'a' }).play(), (error) => {
      assert.deepEqual([error.code, error.message], [code, message]);
      return true;
    });
  }
  answers.balancer = { status: 503 };
  const before = Peer.all.length;
  const stream = session.createStream({ name: 'a', wait: true, reconnect: FAST });
  stream.play().catch(() => {});
  await until('the stream waits', () => stream.error?.code === 'busy');
  assert.equal(stream.state, 'connecting');
  answers.balancer = good;
  await until('the stream connects', () => Peer.all.length > before);
});

test('a balancer that does not answer is told from a server that does not', async (context) => {
  const { balancer, session, host } = await begin(context);
  await balancer.close();
  await assert.rejects(session.createStream({ name: 'a' }).play(), { code: 'network', message: `The load balancer ${host} does not answer.` });
});
