/**
 * Numbers and codec names as people read them.
 */

/** Names by the server's own and by SDP's, in lower case. @type {Record<string, string>} */
const CODECS = {
  h264: 'H264', avc: 'H264', h265: 'H265', hevc: 'H265', vp8: 'VP8', vp9: 'VP9', av1: 'AV1',
  opus: 'Opus', aac: 'AAC', 'mpeg4-generic': 'AAC', mp3: 'MP3', mpa: 'MP3', g722: 'G722', pcmu: 'PCMU', pcma: 'PCMA',
};

/**
 * A codec's usual name: `video/H264`, `mpeg4-generic/48000/2` and `hevc` all find theirs.
 * @param {string|undefined|null} raw
 */
export function codec(raw) {
  if (!raw) return '';
  const parts = raw.split('/');
  const bare = parts[0] === 'video' || parts[0] === 'audio' ? parts[1] : parts[0];
  return CODECS[bare.toLowerCase()] ?? bare;
}

/**
 * `48 kHz stereo` from `mpeg4-generic/48000/2`; empty where the text does not say.
 * @param {string|undefined|null} raw
 */
export function soundFormat(raw) {
  const parts = (raw ?? '').split('/').filter((part) => part !== 'audio');
  const rate = Number(parts[1]);
  if (!rate) return '';
  const channels = Number(parts[2] ?? 1);
  const layout = channels === 1 ? 'mono' : channels === 2 ? 'stereo' : `${channels} channels`;
  return `${number(rate / 1000, rate % 1000 === 0 ? 0 : 1)} kHz ${layout}`;
}

/**
 * @param {number} value
 * @param {number} [digits]
 */
export function number(value, digits = 0) {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/**
 * @param {number|undefined|null} bitsPerSecond
 */
export function bitrate(bitsPerSecond) {
  if (bitsPerSecond == null || !Number.isFinite(bitsPerSecond)) return '';
  if (bitsPerSecond < 999_500) return `${number(bitsPerSecond / 1000)} kbit/s`;
  return `${number(bitsPerSecond / 1e6, bitsPerSecond < 9.95e6 ? 1 : 0)} Mbit/s`;
}

/**
 * @param {number|undefined|null} width
 * @param {number|undefined|null} height
 */
export function size(width, height) {
  return width && height ? `${width}×${height}` : '';
}

/**
 * Frames a second; whole numbers without a fraction, 29.97 as it is.
 * @param {number|undefined|null} fps
 */
export function frameRate(fps) {
  if (!fps) return '';
  return `${number(fps, Math.abs(fps - Math.round(fps)) < 0.02 ? 0 : 2)} fps`;
}

/**
 * @param {number|undefined|null} value
 */
export function milliseconds(value) {
  if (value == null || !Number.isFinite(value)) return '';
  if (value >= 1000) return `${number(value / 1000, 1)} s`;
  return `${number(value, value < 10 ? 1 : 0)} ms`;
}

/**
 * How long ago: `42 s`, `3 min`, `2 h 05 min`, `4 d 3 h`.
 * @param {number|undefined|null} seconds
 */
export function duration(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return '';
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  const hours = Math.floor(whole / 3600);
  if (hours < 24) return `${hours} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} many
 */
export function count(count, one, many) {
  return `${number(count)} ${count === 1 ? one : many}`;
}
