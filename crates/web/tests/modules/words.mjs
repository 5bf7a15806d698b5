// What the pages make of the API's answers, and of numbers.
import assert from 'node:assert/strict';
import test from 'node:test';
import { nameFromAddress, summarise } from '../../assets/api.js';
import * as format from '../../assets/format.js';
import { notice } from '../../assets/notice.js';

test('numbers read as people write them', () => {
  const cases = [
    [format.bitrate(128_000), '128 kbit/s'],
    [format.bitrate(2_480_000), '2.5 Mbit/s'],
    [format.bitrate(14_200_000), '14 Mbit/s'],
    [format.bitrate(null), ''],
    [format.frameRate(30), '30 fps'],
    [format.frameRate(29.97), '29.97 fps'],
    [format.size(1280, 720), '1280×720'],
    [format.size(0, 720), ''],
    [format.milliseconds(7.4), '7.4 ms'],
    [format.milliseconds(140.2), '140 ms'],
    [format.milliseconds(1712), '1.7 s'],
    [format.milliseconds(undefined), ''],
    [format.duration(59.9), '59 s'],
    [format.duration(-3), '0 s'],
    [format.duration(3599), '59 min'],
    [format.duration(15_060), '4 h 11 min'],
    [format.duration(97_200), '1 d 3 h'],
    [format.codec('mpeg4-generic/48000/2'), 'AAC'],
    [format.codec('video/H264'), 'H264'],
    [format.codec('opus/48000/2'), 'Opus'],
    [format.codec('strange'), 'strange'],
    [format.codec(undefined), ''],
    [format.soundFormat('mpeg4-generic/44100/2'), '44.1 kHz stereo'],
    [format.soundFormat('audio/opus/48000/1'), '48 kHz mono'],
    [format.soundFormat('AAC'), ''],
  ];
  for (const [found, expected] of cases) assert.equal(found, expected);
});

test('publications are listed by name, with their viewers', () => {
  const found = summarise([
    { name: 'b10', mediaType: 'publish', status: 'PUBLISHING', videoCodec: 'H264', createDate: 5 },
    { name: 'b2', mediaType: 'publish', status: 'PAUSED', viewers: 7, hasVideo: false, createDate: '1970-01-01T00:00:01Z' },
    { name: 'b10', mediaType: 'play', status: 'PLAYING' },
    { name: 'b10', published: false, status: 'PLAYING' },
    { name: 'gone', mediaType: 'publish', status: 'UNPUBLISHED' },
    { name: 'failed', mediaType: 'play', status: 'FAILED' },
  ]);
  assert.deepEqual(found.map(({ name, viewers, paused, hasVideo, since }) => [name, viewers, paused, hasVideo, since]), [
    ['b2', 7, true, false, 1000],
    ['b10', 2, false, true, 5],
  ]);
});

test('an API that answers strangely breaks nothing', () => {
  assert.deepEqual(summarise([null, 3, {}, { name: 4 }, [], 'x']), []);
  const [stream] = summarise([{ name: 'a', width: 'wide', fps: null, bitrate: {}, createDate: 'soon', conversions: 1, remarks: 2 }]);
  assert.deepEqual([stream.width, stream.fps, stream.bitrate, stream.since], [0, 0, null, null]);
  assert.deepEqual([stream.conversions, stream.remarks], [[], []]);
});

test('the name is taken from the address', () => {
  assert.equal(nameFromAddress('/play/live/cam%2E1'), 'live/cam.1');
  assert.equal(nameFromAddress('/play/%'), '');
});

test('each state but playing is told in words', () => {
  const base = { name: 'cam', error: null, attempts: 1, sessions: 0, stream: null, kinds: ['video', 'audio'] };
  const error = (code, message = '') => ({ code, message, status: 0 });
  const cases = [
    [{ state: 'connecting' }, /Connecting/],
    [{ state: 'connecting', tried: [{}], why: 'By WSPlayer, since …' }, /Connecting.*By WSPlayer/],
    [{ state: 'waiting' }, /Not live yet.*“cam”/],
    [{ state: 'waiting', sessions: 1 }, /has ended/],
    [{ state: 'waiting', error: error('starting') }, /About to start/],
    [{ state: 'stalled' }, /paused/],
    [{ state: 'reconnecting', error: error('network') }, /Connection lost/],
    [{ state: 'reconnecting', attempts: 4, error: error('network') }, /cannot be reached.*attempt 4/],
    [{ state: 'reconnecting', error: error('blocked') }, /firewall/],
    [{ state: 'reconnecting', error: error('busy', 'too many viewers') }, /full.*Too many viewers\./],
    [{ state: 'error', error: error('refused', 'a token is needed') }, /may not watch.*A token is needed\./],
    [{ state: 'error', error: error('codec'), stream: { videoCodec: 'H265', audioCodec: 'opus/48000/2' } }, /cannot play.*H265 with Opus/],
    [{ state: 'error', error: error('unsupported') }, /cannot play live streams/],
    [{ state: 'playing', kinds: ['audio'] }, /Sound only/],
    [{ state: 'stopped' }, /Stopped/],
  ];
  for (const [state, expected] of cases) {
    const words = notice({ ...base, ...state });
    assert.match(`${words.title} ${words.text}`, expected);
  }
  assert.equal(notice({ ...base, state: 'playing' }), null);
});
