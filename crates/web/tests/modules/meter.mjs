// What is measured of a session, and what that says of the connection.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Meter, quality } from '../../assets/sdk/meter.js';

const entry = (id, more) => [id, { id, ...more }];
const peer = (...reports) => ({ getStats: async () => new Map(reports.shift()) });
const common = [
  entry('T', { type: 'transport', selectedCandidatePairId: 'P' }),
  entry('P', { type: 'candidate-pair', currentRoundTripTime: 0.04, localCandidateId: 'L', availableOutgoingBitrate: 2e6 }),
  entry('L', { type: 'local-candidate', protocol: 'udp' }),
  entry('C', { type: 'codec', mimeType: 'video/H264' }),
];

test('a viewer’s numbers are rates of the last second', async () => {
  const video = (more) => entry('V', { type: 'inbound-rtp', kind: 'video', codecId: 'C', frameWidth: 640, frameHeight: 360, jitter: 0.005, ...more });
  const reading = peer(
    [...common, video({ timestamp: 1000, bytesReceived: 0, packetsReceived: 0, packetsLost: 0, framesDecoded: 0, freezeCount: 3 })],
    [...common, video({ timestamp: 2000, bytesReceived: 125_000, packetsReceived: 95, packetsLost: 5, framesDecoded: 30, freezeCount: 4 })],
  );
  const meter = new Meter();
  const first = await meter.read(reading);
  assert.deepEqual([first.bitrate, first.lossPercent, meter.quality.level], [null, null, 4]);
  const { video: flow, ...all } = await meter.read(reading);
  assert.deepEqual([flow.codec, flow.bitrate, flow.fps, flow.width, flow.height, flow.frames], ['H264', 1e6, 30, 640, 360, 30]);
  assert.deepEqual([all.bitrate, all.lossPercent, all.rttMs, all.jitterMs, all.availableBitrate, all.transport], [1e6, 5, 40, 5, null, 'UDP']);
  assert.equal(meter.quality.level, 2);
});

test('a publisher’s layers count together, and the largest gives the size', async () => {
  const layer = (id, width, timestamp, bytesSent) =>
    entry(id, { type: 'outbound-rtp', kind: 'video', codecId: 'C', remoteId: 'R', frameWidth: width, frameHeight: width / 2, timestamp, bytesSent, packetsSent: 10, framesEncoded: timestamp / 50, qualityLimitationReason: 'cpu' });
  const far = entry('R', { type: 'remote-inbound-rtp', fractionLost: 0.02, jitter: 0.001 });
  const reading = peer([...common, far, layer('A', 320, 1000, 0), layer('B', 640, 1000, 0)], [...common, far, layer('A', 320, 2000, 12_500), layer('B', 640, 2000, 50_000)]);
  const meter = new Meter();
  await meter.read(reading);
  const stats = await meter.read(reading);
  assert.deepEqual([stats.video.bitrate, stats.video.width, stats.video.packets, stats.video.fps, stats.video.limitedBy], [500_000, 640, 20, 20, 'cpu']);
  assert.deepEqual([stats.lossPercent, stats.availableBitrate], [2, 2e6]);
});

test('each level has its word, and the worst of all says why', () => {
  const stats = (more = {}) => ({ bitrate: 1e6, lossPercent: 0, rttMs: 20, video: { limitedBy: '' }, ...more });
  const cases = [
    [null, 0, 0, 'none', /no connection/],
    [stats(), 0, 4, 'excellent', /^$/],
    [stats({ lossPercent: 2 }), 0, 3, 'good', /lost/],
    [stats({ lossPercent: 5 }), 0, 2, 'poor', /lost/],
    [stats({ lossPercent: 20 }), 0, 1, 'bad', /lost/],
    [stats({ rttMs: 400 }), 0, 2, 'poor', /way/],
    [stats({ video: { limitedBy: 'bandwidth' } }), 0, 2, 'poor', /upload/],
    [stats({ video: { limitedBy: 'cpu' } }), 0, 3, 'good', /busy/],
    [stats(), 1, 2, 'poor', /froze/],
    [stats({ bitrate: 0 }), 0, 1, 'bad', /Nothing/],
    [stats({ rttMs: 200, lossPercent: 9 }), 1, 1, 'bad', /lost/],
  ];
  for (const [given, freezes, level, word, reason] of cases) {
    const found = quality(given, freezes);
    assert.deepEqual([found.level, found.word], [level, word]);
    assert.match(found.reason, reason);
  }
});
