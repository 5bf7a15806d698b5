// Playlists as the reader understands them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { fitting } from '../../assets/sdk/hls-levels.js';
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
