// Playlists as the reader understands them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { parse, reload, variants } from '../../assets/sdk/hls-playlist.js';

const BASE = 'https://media.example/camera/index.m3u8?token=a';

test('the widest variant comes first', () => {
  const text = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100,CODECS="avc1.42c01e,mp4a.40.2"\nlow.m3u8?token=a\n#EXT-X-STREAM-INF:BANDWIDTH=900,RESOLUTION=1280x720\n\nhigh.m3u8\n';
  const list = variants(text, BASE);
  assert.deepEqual(list.map(({ uri, codecs }) => [uri, codecs]), [
    ['https://media.example/camera/high.m3u8', ''],
    ['https://media.example/camera/low.m3u8?token=a', 'avc1.42c01e,mp4a.40.2'],
  ]);
  assert.deepEqual(variants('#EXTM3U\n#EXTINF:2,\n1.m4s\n', BASE), []);
});

test('segments and parts stand one after the other', () => {
  const playlist = parse(`#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.6,HOLD-BACK=6
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-DISCONTINUITY-SEQUENCE:3
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
  assert.deepEqual(playlist.pieces.map(({ uri, sequence, part, at, epoch, starts }) => [uri.split('/').pop(), sequence, part, at, epoch, starts]), [
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
