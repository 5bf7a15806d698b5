/**
 * The facts under the picture and the statistics panel: numbers of a session as words.
 */
import { element, setPairs, setText } from './dom.js';
import * as format from './format.js';

/**
 * What plays, in one line.
 * @param {import('./playback.js').Playback} playback
 * @returns {[string, string][]}
 */
export function facts(playback) {
  const { stats, latency } = playback;
  const video = stats?.video;
  const audio = stats?.audio;
  const picture = [format.codec(video?.codec), format.size(video?.width, video?.height), format.frameRate(round(video?.fps))];
  return [
    ['Picture', video?.framesDecoded ? picture.filter(Boolean).join('  ') : ''],
    ['Sound', audio?.packetsReceived ? format.codec(audio.codec) : ''],
    ['Bitrate', format.bitrate(sum(video?.bitrate, audio?.bitrate))],
    [latency?.measured ? 'Delay, measured' : 'Delay, estimated', latency ? format.milliseconds(Math.round(latency.ms)) : ''],
    ['Plays by', playing(playback)],
  ];
}

/** `WebRTC over UDP`, `WSPlayer`. @param {import('./playback.js').Playback} playback */
function playing({ way, wayName, stats }) {
  const transport = stats?.connection?.transport;
  return way === 'webrtc' && transport ? `${wayName} over ${transport}` : wayName;
}

/**
 * Everything that is measured, by group.
 * @param {import('./playback.js').Playback} playback
 * @returns {Record<string, [string, string][]>}
 */
function groups(playback) {
  const { stats, stream, latency } = playback;
  return {
    Delay: [
      ['Glass to glass, now', latency?.measured ? format.milliseconds(latency.ms) : ''],
      ['Glass to glass, median', latency?.measured ? format.milliseconds(latency.p50) : ''],
      ['Glass to glass, 95 %', latency?.measured ? format.milliseconds(latency.p95) : ''],
      ['Server to screen, estimated', format.milliseconds(stats?.estimatedLatencyMs)],
      ['Round trip', format.milliseconds(stats?.connection?.rttMs)],
    ],
    Picture: video(stats?.video, playback.way === 'webrtc'),
    Sound: audio(stats?.audio, playback.way === 'webrtc'),
    Connection: [
      ['Plays by', playback.wayName],
      ['Why', playback.why],
      ['Transport', stats?.connection?.transport ?? ''],
      ['Server', stats?.connection?.remote ?? ''],
      ['Security', stats?.connection?.security ?? ''],
      ['Sessions', playback.sessions > 1 ? format.number(playback.sessions) : ''],
    ],
    Source: stream
      ? [
          ['Comes in by', stream.source],
          ['Viewers', format.number(stream.viewers)],
          ['Picture', [format.codec(stream.videoCodec), stream.bFrames ? 'with B-frames' : ''].filter(Boolean).join(', ')],
          ['Sound', [format.codec(stream.audioCodec), format.soundFormat(stream.audioCodec)].filter(Boolean).join(', ')],
          ['Converted', stream.conversions.map(({ from, to }) => `${format.codec(from)} to ${format.codec(to)}`).join(', ')],
        ]
      : [],
  };
}

/**
 * @param {import('./sdk/stats.js').VideoStats|null|undefined} video
 * @param {boolean} isByPackets  of RTP, which may be lost
 * @returns {[string, string][]}
 */
function video(video, isByPackets) {
  if (!video) return [];
  return [
    ['Codec', format.codec(video.codec)],
    ['Size', format.size(video.width, video.height)],
    ['Frame rate', format.frameRate(round(video.fps))],
    ['Bitrate', format.bitrate(video.bitrate)],
    ['Packets lost', isByPackets ? lost(video) : ''],
    ['NACK, PLI sent', isByPackets ? `${format.number(video.nacks)}, ${format.number(video.plis)}` : ''],
    ['Jitter buffer', format.milliseconds(video.jitterBufferMs)],
    ['Decoding', format.milliseconds(video.decodeMs)],
    ['Frames dropped', format.number(video.framesDropped)],
    ['Freezes', video.freezes ? `${format.number(video.freezes)}, ${format.milliseconds(video.frozenMs)}` : '0'],
    ['Decoder', video.decoder],
  ];
}

/**
 * @param {import('./sdk/stats.js').AudioStats|null|undefined} audio
 * @param {boolean} isByPackets
 * @returns {[string, string][]}
 */
function audio(audio, isByPackets) {
  if (!audio) return [];
  return [
    ['Codec', [format.codec(audio.codec), format.soundFormat(audio.codec)].filter(Boolean).join(', ')],
    ['Bitrate', format.bitrate(audio.bitrate)],
    ['Packets lost', isByPackets ? lost(audio) : ''],
    ['Jitter buffer', format.milliseconds(audio.jitterBufferMs)],
    ['Made up', audio.concealedPercent === null ? '' : `${format.number(audio.concealedPercent, 1)} %`],
  ];
}

/** @param {{packetsLost: number, lossPercent: number|null}} flow */
const lost = ({ packetsLost, lossPercent }) =>
  lossPercent ? `${format.number(packetsLost)}, now ${format.number(lossPercent, 1)} %` : format.number(packetsLost);

/**
 * Frames per second as counted jitter by one; near a whole number they are shown as that.
 * @param {number|null|undefined} fps
 */
const round = (fps) => (fps == null ? null : Math.round(fps));

/**
 * @param {number|null|undefined} one
 * @param {number|null|undefined} other
 */
const sum = (one, other) => (one == null && other == null ? null : (one ?? 0) + (other ?? 0));

/**
 * Writes the panel.
 * @param {HTMLElement} place
 * @param {import('./playback.js').Playback} playback
 */
export function showStatistics(place, playback) {
  for (const [title, pairs] of Object.entries(groups(playback))) {
    let group = /** @type {HTMLElement|null} */ (place.querySelector(`[data-group="${title}"]`));
    if (!group) {
      group = element('div', { 'data-group': title, class: 'group' }, element('h3'), element('dl'));
      setText(/** @type {Element} */ (group.firstElementChild), title);
      place.append(group);
    }
    const list = /** @type {HTMLElement} */ (group.lastElementChild);
    setPairs(list, pairs);
    group.hidden = list.children.length === 0;
  }
}
