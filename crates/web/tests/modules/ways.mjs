// From way to way: which is tried next, which after a loss, and what is said of it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HeadwaterError } from '../../assets/sdk/errors.js';
import { Rounds, WAYS } from '../../assets/sdk/ways.js';

const error = (code, message) => new HeadwaterError(code, message);

test('a way that fails is followed by the next, and said to be so', () => {
  const rounds = new Rounds(['webrtc', 'wsplayer', 'hls']);
  assert.match(rounds.why, /WebRTC, the first choice/);
  assert.equal(rounds.fail(error('blocked'), false), 'next');
  assert.equal(rounds.way, 'wsplayer');
  assert.match(rounds.why, /^By WSPlayer, since WebRTC did not: The server answers, but media does not get through\.$/);
  assert.equal(rounds.fail(error('unsupported', 'no WebCodecs'), false), 'next');
  assert.equal(rounds.way, 'hls');
});

test('a way that played is tried first when it is lost, and others after it', () => {
  const rounds = new Rounds(['webrtc', 'wsplayer', 'hls']);
  rounds.fail(error('blocked'), false);
  rounds.settle();
  assert.equal(rounds.fail(error('network'), true), 'same');
  assert.equal(rounds.way, 'wsplayer');
  assert.equal(rounds.fail(error('network'), false), 'next');
  assert.equal(rounds.way, 'hls');
  assert.equal(rounds.fail(error('unsupported'), false), 'next');
  assert.equal(rounds.way, 'webrtc');
  assert.equal(rounds.hasNext, false);
});

test('what is said of the stream or the viewer is no fault of the way', () => {
  for (const code of ['not-live', 'starting', 'busy']) {
    const rounds = new Rounds(WAYS);
    assert.equal(rounds.fail(error(code), false), 'same', code);
    assert.equal(rounds.way, WAYS[0]);
  }
  assert.equal(new Rounds(WAYS).fail(error('refused'), false), 'up');
});

test('when no way is left, it is given up only if none could be better later', () => {
  const hopeless = new Rounds(['webrtc', 'hls']);
  assert.equal(hopeless.fail(error('codec', 'no common codec'), false), 'next');
  assert.equal(hopeless.fail(error('unsupported'), false), 'up');
  assert.equal(hopeless.verdict.code, 'codec');
  const blocked = new Rounds(['webrtc', 'hls']);
  blocked.fail(error('blocked'), false);
  assert.equal(blocked.fail(error('unsupported'), false), 'same');
  assert.equal(blocked.verdict.code, 'blocked');
  blocked.begin();
  assert.equal(blocked.way, 'webrtc');
  assert.deepEqual(blocked.tried, []);
});

test('a picture that cannot be decoded sends even a way that plays to the next', () => {
  const rounds = new Rounds(['webrtc', 'wsplayer']);
  rounds.settle();
  assert.equal(rounds.fail(error('codec'), true), 'next');
  assert.equal(rounds.way, 'wsplayer');
});

test('an order names ways that there are, each once', () => {
  assert.throws(() => new Rounds(['flash']), /flash/);
  assert.throws(() => new Rounds([]));
  assert.deepEqual(new Rounds(['hls', 'hls', 'webrtc']).order, ['hls', 'webrtc']);
});
