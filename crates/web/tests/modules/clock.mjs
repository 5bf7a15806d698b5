// The clock in the picture: every time is read, and nothing is read from what is no clock.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ClockReader, decodeStrip } from '../../assets/clock.js';

const BLOCKS = 20;
const CELL = 4;
const WIDTH = BLOCKS * CELL;
const HEIGHT = 4;

/** Luma of a strip with that time, its white and black as a coder leaves them. */
function strip(time, white = 235, black = 16) {
  const value = ((time % 65536) + 65536) % 65536;
  const gray = value ^ (value >> 1);
  const bits = [1, 0, ...Array.from({ length: 16 }, (_, bit) => (gray >> (15 - bit)) & 1), 0, 1];
  return Float32Array.from({ length: WIDTH * HEIGHT }, (_, at) => (bits[Math.floor((at % WIDTH) / CELL)] ? white : black));
}

test('every time is read back', () => {
  for (let time = 0; time < 65536; time += 7) assert.equal(decodeStrip(strip(time), WIDTH, HEIGHT), time);
  assert.equal(decodeStrip(strip(65535, 180, 80), WIDTH, HEIGHT), 65535, 'a flat picture');
});

test('other pictures have no time', () => {
  const fill = (value) => Float32Array.from({ length: WIDTH * HEIGHT }, (_, at) => value(at % WIDTH, Math.floor(at / WIDTH)));
  const pictures = {
    black: fill(() => 0),
    white: fill(() => 255),
    grey: fill(() => 128),
    gradient: fill((x) => (x * 255) / WIDTH),
    stripes: fill((x) => (Math.floor(x / CELL) % 2 ? 0 : 255)),
    fine: fill((x) => (x % 2 ? 0 : 255)),
    washed: strip(1234, 140, 110),
  };
  for (const [name, picture] of Object.entries(pictures)) assert.equal(decodeStrip(picture, WIDTH, HEIGHT), null, name);
  for (let round = 0; round < 20_000; round++) {
    const noise = fill(() => Math.random() * 255);
    assert.equal(decodeStrip(noise, WIDTH, HEIGHT), null, 'noise');
  }
});

/** A reader on a video whose pictures are given one by one, 33 ms apart. */
function watch() {
  let luma = strip(0);
  let clock = 1_000_000;
  let callback;
  const video = { requestVideoFrameCallback: (next) => (callback = next) };
  const context = {
    drawImage() {},
    getImageData: () => ({ data: Uint8ClampedArray.from({ length: WIDTH * HEIGHT * 4 }, (_, at) => luma[Math.floor(at / 4)]) }),
  };
  globalThis.document = { createElement: () => ({ getContext: () => context }) };
  Date.now = () => clock;
  const reader = new ClockReader(video);
  reader.start();
  const show = (picture) => {
    clock += 33;
    luma = picture(clock);
    callback(performance.now(), { width: 1280, height: 720, expectedDisplayTime: performance.now() });
  };
  return { reader, show };
}

test('a steady clock tells the delay', () => {
  const { reader, show } = watch();
  for (let picture = 0; picture < 100; picture++) {
    show((now) => strip(now - 80));
    if (picture < 20) assert.equal(reader.latency, null, 'not from the first pictures');
  }
  const { ms, p50, p95, good, bad } = reader.latency;
  assert.ok(Math.abs(ms - 80) < 2 && Math.abs(p50 - 80) < 2 && Math.abs(p95 - 80) < 5, `${ms} ${p50} ${p95}`);
  assert.deepEqual([good, bad], [100, 0]);
});

test('stripes that look like a clock but do not run are not believed', () => {
  const { reader, show } = watch();
  for (let stamp = 0; stamp < 65536; stamp += 997) {
    for (let picture = 0; picture < 60; picture++) {
      show(() => strip(stamp));
      assert.equal(reader.latency, null, `stamp ${stamp}, picture ${picture}`);
    }
  }
});

test('random strips are not believed', () => {
  const { reader, show } = watch();
  for (let picture = 0; picture < 2000; picture++) {
    show(() => strip(Math.floor(Math.random() * 65536)));
    assert.equal(reader.latency, null);
  }
});

test('a clock that disagrees by more than any delay gives none', () => {
  const { reader, show } = watch();
  for (let picture = 0; picture < 100; picture++) show((now) => strip(now + 5000));
  assert.equal(reader.latency, null);
});

test('a single picture without a strip does no harm, many end the trust', () => {
  const { reader, show } = watch();
  for (let picture = 0; picture < 60; picture++) show((now) => strip(now - 40));
  show(() => strip(0, 128, 128));
  show((now) => strip(now - 40));
  assert.ok(reader.latency);
  for (let picture = 0; picture < 10; picture++) show(() => strip(0, 128, 128));
  assert.equal(reader.latency, null);
});
