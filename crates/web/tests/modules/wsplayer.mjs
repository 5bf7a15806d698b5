// What time it is by ear and by arrival, and how little sound waits.
import assert from 'node:assert/strict';
import test from 'node:test';

const folder = new URL('../../assets/sdk/wsplayer/', import.meta.url);
const { ArrivalClock, Slack, SoundClock } = await import(new URL('clock.js', folder));
const { Ring } = await import(new URL('ring.js', folder));

const RATE = 48_000;
const BLOCK = 128;
/** A piece of 20 ms whose samples count on from the time, so that what is heard can be told. */
const piece = (media, rate = RATE) => ({ media, rate, channels: [Float32Array.from({ length: rate / 50 }, (_, index) => media + index / rate)] });

/** Renders for so long; `feed(now)` is called before each block. Yields all that was heard. */
function run(ring, seconds, feed = () => {}) {
  const heard = [];
  for (let block = 0; block < (seconds * RATE) / BLOCK; block++) {
    feed((block * BLOCK) / RATE);
    const output = [new Float32Array(BLOCK)];
    ring.render(output);
    heard.push(...output[0]);
  }
  return heard;
}

/** A source that sends a piece each 20 ms from `media` on, some of them late. */
function source(media, late = () => 0) {
  let next = 0;
  return (ring) => (now) => {
    while (next * 0.02 + late(next) <= now) ring.push(piece(media + next++ * 0.02));
  };
}

test('the quickest frames set the clock, and jitter is kept back for', () => {
  const clock = new ArrivalClock();
  assert.equal(clock.now(0), null);
  // A group that waited comes at once, then frames as they are made, each 40 ms after.
  for (let index = 0; index < 30; index++) clock.note(index * 33, 1000);
  for (let index = 30; index < 150; index++) clock.note(index * 33, 40 + index * 33);
  const steady = clock.now(10_000);
  assert.ok(Math.abs(steady - (10_000 - 40 - clock.delayMs)) < 2, `${steady}`);
  assert.ok(clock.delayMs <= 30, `${clock.delayMs}`);
  for (let index = 150; index < 300; index++) clock.note(index * 33, 40 + index * 33 + (index % 5 === 0 ? 100 : 0));
  assert.ok(clock.delayMs > 90 && clock.delayMs < 120, `${clock.delayMs}`);
  clock.reset();
  assert.equal(clock.now(0), null);
});

test('the clock by ear counts from what leaves the loudspeaker', () => {
  const clock = new SoundClock();
  clock.tell(5000, 2.0, 100_000);
  assert.equal(clock.now(100_010), null, 'nobody hears anything yet');
  clock.hear({ context: 1.97, at: 100_000 });
  // The sample of context time 2.0 is heard 30 ms after that of 1.97.
  assert.equal(Math.round(clock.now(100_030)), 5000);
  assert.equal(clock.now(102_000), null, 'what was told long ago counts no more');
  clock.tell(5000, 2.0, 102_000);
  clock.rest();
  assert.equal(clock.now(102_000), null, 'the ring ran dry');
  clock.tell(5000, 2.0, 102_000);
  clock.hear(null);
  assert.equal(clock.now(102_000), null);
});

test('sound waits for pictures that come late, and not for those of another time line', () => {
  const feed = (slack, from) => {
    const judge = new Slack(from);
    let sum = 0;
    for (let at = from; at < from + 3000; at += 33) sum += judge.note(slack, at);
    return sum;
  };
  assert.ok(feed(-80, 0) > 80);
  assert.equal(feed(30, 0), 0);
  assert.ok(feed(200, 0) < 0);
  assert.equal(feed(-5000, 0), 0);
});

test('what has waited is left out, and then little waits and nothing is missing', () => {
  const ring = new Ring(RATE);
  for (let index = 0; index < 50; index++) ring.push(piece(index * 0.02));
  assert.ok(ring.level < 0.2, `${ring.level}`);
  const heard = run(ring, 10, source(1)(ring));
  assert.equal(ring.gaps, 0);
  assert.ok(ring.level < 0.12, `${ring.level}`);
  const steps = heard.slice(RATE).map((value, index, all) => (index ? value - all[index - 1] : 1 / RATE));
  const [least, most] = steps.reduce(([low, high], step) => [Math.min(low, step), Math.max(high, step)], [1, 0]);
  assert.ok(least > 0.9 / RATE - 1e-6 && most < 1.1 / RATE + 1e-6, `the sound jumps: ${least} ${most}`);
});

test('after a gap more is kept, and the time goes on with what is heard', () => {
  const ring = new Ring(RATE);
  const before = ring.target;
  assert.equal(ring.media, null);
  run(ring, 4, source(100, (index) => (index > 100 && index < 110 ? 0.15 : 0))(ring));
  assert.ok(ring.gaps >= 1 && ring.target > before, `${ring.gaps} ${ring.target}`);
  assert.ok(Math.abs(ring.media - (104 - ring.level)) < 0.05, `${ring.media}`);
});

test('a hole in the times is silent, and another rate is heard at its own pitch', () => {
  const ring = new Ring(RATE);
  for (let index = 0; index < 5; index++) ring.push(piece(index * 0.02));
  ring.push(piece(0.2));
  assert.ok(Math.abs(ring.level - 0.22) < 1e-6, `${ring.level}`);
  const slow = new Ring(RATE);
  for (let index = 0; index < 10; index++) slow.push(piece(index * 0.02, 24_000));
  const heard = run(slow, 0.1);
  assert.ok(Math.abs(heard[4000] - 4000 / RATE) < 0.001, `${heard[4000]}`);
});

test('the picture may ask for more time, and for less again', () => {
  const ring = new Ring(RATE);
  const before = ring.target;
  ring.raise(0.2);
  assert.ok(Math.abs(ring.target - before - 0.2) < 1e-9);
  ring.raise(-1);
  assert.equal(ring.target, before);
});
