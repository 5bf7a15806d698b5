// Playlists as the reader understands them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { codecsOf, isSound } from '../../assets/sdk/hls-init.js';
import { Rate, fitting } from '../../assets/sdk/hls-levels.js';
import { multivariant, parse, reload } from '../../assets/sdk/hls-playlist.js';

const BASE = 'https://media.example/camera/index.m3u8?token=a';

test('the best level comes first, and sound that is apart is found', () => {
  const text = `#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="sound",URI="_audio.m3u8?token=a"
#EXT-X-STREAM-INF:BANDWIDTH=100,CODECS="avc1.42c01e,mp4a.40.2",AUDIO="sound"
_video.q.m3u8?token=a
#EXT-X-STREAM-INF:BANDWIDTH=900,RESOLUTION=1280x720,AUDIO="sound"

high.m3u8
`;
  const { levels, audio } = multivariant(text, BASE);
  assert.deepEqual(levels.map(({ uri, label, codecs, width, height }) => [uri, label, codecs, width, height]), [
    ['https://media.example/camera/high.m3u8', '720p', ['avc1.42e01f', 'mp4a.40.2'], 1280, 720],
    ['https://media.example/camera/_video.q.m3u8?token=a', 'q', ['avc1.42c01e', 'mp4a.40.2'], 0, 0],
  ]);
  assert.equal(audio, 'https://media.example/camera/_audio.m3u8?token=a');
  assert.deepEqual(multivariant('#EXTM3U\n#EXTINF:2,\n1.m4s\n', BASE), { levels: [], audio: null });
});

test('the network decides on the level: down at once and as far as needed, up after a while and by one', () => {
  const levels = [4000, 1500, 300].map((bandwidth) => ({ uri: '', label: '', codecs: [], bandwidth, width: 0, height: 0 }));
  const turn = (current, rate, restedMs = 60_000) => fitting(levels, current, rate, restedMs);
  assert.equal(turn(0, null), 0, 'nothing is known yet');
  assert.deepEqual([turn(0, 5000), turn(0, 4300)], [0, 0], 'it carries what is played');
  assert.deepEqual([turn(0, 3000), turn(0, 1000), turn(0, 100)], [1, 2, 2]);
  assert.equal(turn(0, 1000, 1000), 0, 'it has only just turned');
  assert.deepEqual([turn(2, 20_000), turn(1, 20_000), turn(1, 5000)], [1, 0, 1], 'one at a time, and with room to spare');
  assert.equal(turn(2, 20_000, 3000), 2, 'not yet');
});

test('segments and parts stand one after the other', () => {
  const playlist = parse(`#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.6,HOLD-BACK=6
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z
#EXT-X-MAP:URI="init.mp4"
#EXTINF:2.000,
7.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="init2.mp4"
#EXT-X-PART:DURATION=1.000,URI="8.0.m4s",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.500,URI="8.1.m4s"
#EXTINF:1.500,
8.m4s
#EXT-X-PART:DURATION=0.200,URI="9.0.m4s",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="9.1.m4s"
`, BASE);
  assert.deepEqual(playlist.pieces.map(({ uri, sequence, part, date, epoch, starts }) => [uri.split('/').pop(), sequence, part, (date - Date.UTC(2026)) / 1000, epoch, starts]), [
    ['7.m4s', 7, -1, 0, 3, true],
    ['8.0.m4s', 8, 0, 2, 4, true],
    ['8.1.m4s', 8, 1, 3, 4, false],
    ['9.0.m4s', 9, 0, 3.5, 4, true],
  ]);
  assert.deepEqual([playlist.pieces[0].map, playlist.pieces[1].map].map((uri) => uri.split('/').pop()), ['init.mp4', 'init2.mp4']);
  assert.deepEqual([playlist.first, playlist.target, playlist.hold, playlist.next, playlist.isOver], [7, 2, 0.6, { sequence: 9, part: 1 }, false]);
  assert.equal(reload('https://media.example/m.m3u8?token=a', playlist).href, 'https://media.example/m.m3u8?token=a&_HLS_msn=9&_HLS_part=1');
});

test('without parts a player keeps three segments back and asks without waiting', () => {
  const playlist = parse('#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n0.m4s\n#EXT-X-ENDLIST\n', BASE);
  assert.deepEqual([playlist.hold, playlist.blocks, playlist.isOver, playlist.next], [12, false, true, { sequence: 1, part: 0 }]);
  assert.equal(reload(BASE, playlist).href, BASE);
  assert.deepEqual(parse('', BASE).pieces, []);
});

/** Fetches pieces of so many bytes one after the other, each of which begins to come after a wait and then at so many bits in a ms. */
function fetched(rate, pieces, { bytes = 20_000, waitMs = 30, bitsPerMs = 500, from = 0 } = {}) {
  let now = from;
  for (let piece = 0; piece < pieces; piece++) {
    const fetch = rate.begin(now);
    now += waitMs;
    for (let bit = 0; bit < 10; bit++) rate.add(fetch, bytes / 10, (now += (bytes * 0.8) / bitsPerMs));
    rate.end(fetch, now);
  }
  return now;
}

test('what the network carries is measured without the way there and back, and alike for one fetch and for several at once', () => {
  const near = (found, wanted) => assert.ok(Math.abs(found - wanted) < 0.1 * wanted, `${found}, not ${wanted}`);
  const [one, two] = [new Rate(), new Rate()];
  assert.equal(one.lowest(0), null, 'nothing has come');
  near(one.lowest(fetched(one, 12)), 500_000);
  assert.equal(one.total, 240_000);
  // Two at once, which share the network.
  let now = 0;
  for (let piece = 0; piece < 6; piece++) {
    const fetches = [two.begin(now), two.begin(now)];
    for (let bit = 0; bit < 20; bit++) two.add(fetches[bit % 2], 2000, (now += 32));
    for (const fetch of fetches) two.end(fetch, now);
  }
  near(two.lowest(now), 500_000);
});

test('a network that becomes narrow is known before a piece is whole', () => {
  const rate = new Rate();
  const now = fetched(rate, 12, { bitsPerMs: 5000 });
  const fetch = rate.begin(now);
  rate.add(fetch, 5000, now + 500);
  const soon = rate.lowest(now + 1200);
  assert.ok(soon < 60_000, `${soon}`);
  rate.end(fetch, now + 1200);
  const later = fetched(rate, 12, { bitsPerMs: 5000, from: now + 5000 });
  assert.ok(rate.lowest(later) > 3_000_000, 'it is wide again');
});

const bytes = (...parts) => Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...part].map((letter) => letter.charCodeAt(0)) : [...part])));
const box = (type, ...parts) => {
  const body = bytes(...parts);
  return bytes([0, 0, (body.length + 8) >> 8, (body.length + 8) & 255], type, body);
};
const track = (entry) => box('trak', box('mdia', box('minf', box('stbl', box('stsd', new Uint8Array(8), entry)))));
const picture = (type, record, contents) => box(type, new Uint8Array(78), box('btrt', [0, 0, 0, 0]), box(record, contents));

test('an init segment names its codecs', () => {
  const of = (...entries) => codecsOf(bytes(box('ftyp', 'iso6'), box('moov', box('mvhd', [0]), ...entries.map(track))));
  const sound = box('mp4a', new Uint8Array(28));
  assert.deepEqual(of(picture('avc1', 'avcC', [1, 0x42, 0xc0, 0x1f, 255]), sound), ['avc1.42c01f', 'mp4a.40.2']);
  assert.deepEqual(of(picture('hvc1', 'hvcC', [1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 63])), ['hvc1.1.6.L63.90']);
  assert.deepEqual(of(picture('av01', 'av1C', [0x81, 0x05, 0x0c, 0])), ['av01.0.05M.08']);
  assert.deepEqual(of(picture('vp09', 'vpcC', [1, 0, 0, 0, 0, 31, 0x82, 2, 2, 2])), ['vp09.00.31.08']);
  assert.deepEqual(of(box('Opus', new Uint8Array(28))), ['opus']);
  assert.deepEqual(['mp4a.40.2', 'opus', 'avc1.42c01f'].map(isSound), [true, true, false]);
  // What is cut off or no MP4 has no tracks, or tracks of which nothing is known.
  const whole = bytes(box('moov', track(picture('avc1', 'avcC', [1, 0x42, 0xc0, 0x1f]))));
  for (let length = 0; length < whole.length; length++) assert.deepEqual(codecsOf(whole.slice(0, length)), []);
  assert.deepEqual(of(picture('avc1', 'avcC', [1])), ['avc1']);
});
