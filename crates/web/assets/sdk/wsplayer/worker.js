/**
 * The part of WSPlayer that works beside the page: reads the WebSocket, decodes, and draws on the page's canvas.
 *
 * From the page: `{open: {url, canvas}}`, `{ring: port|null, output}`, `{output}`, `{seen}`, `{ask}`, `{close}`.
 * To the page: `{tracks, missing}`, `{size}`, `{first}`, `{lost}`, `{figures}`.
 */
import { ArrivalClock, Slack, SoundClock } from './clock.js';
import { Picture } from './picture.js';
import { Sound } from './sound.js';

const HEAD_BYTES = 20;
const STARTS_HERE = 1;
const BREAKS = 2;
/** How often pictures are looked after while the page is hidden, and nothing draws. */
const HIDDEN_MS = 50;
const SCREEN_MS = 8;
/** What decoding takes at most on an ordinary device, in ms. */
const DECODING_MS = 15;
/** Pictures of before one joined come late by nature. */
const SETTLE_MS = 1500;

const now = () => performance.timeOrigin + performance.now();
const say = (/** @type {any} */ word) => self.postMessage(word);

const arrivals = new ArrivalClock();
const heard = new SoundClock();
const mediaTime = () => heard.now(now()) ?? arrivals.now(now());
const slack = new Slack(now());
const sound = new Sound(heard, { failed: (words) => lose('codec', `the sound cannot be decoded: ${words}`) });
/** @type {Picture} */
let picture;
/** @type {WebSocket|null} */
let socket = null;
/** Kinds by the id of their track. @type {Map<number, string>} */
let kinds = new Map();
/** What the decoders were told, as text. @type {Map<string, string>} */
const known = new Map();
/** When pictures come evenly, after a beginning or a break. */
let settled = 0;
let seen = true;
let over = false;

/** @param {string} code @param {string} message @param {number} [status] */
function lose(code, message, status = 0) {
  if (over) return;
  close();
  say({ lost: { code, message, status } });
}

function close() {
  over = true;
  if (socket) socket.onmessage = socket.onclose = null;
  socket?.close();
  picture?.close();
  sound.close();
}

/** @param {{url: string, canvas: OffscreenCanvas}} wish */
function open({ url, canvas }) {
  picture = new Picture(canvas, mediaTime, {
    size: (width, height) => say({ size: { width, height } }),
    first: () => say({ first: true }),
    failed: (words) => lose('codec', `the picture cannot be decoded: ${words}`),
  });
  socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  socket.onmessage = ({ data }) => (typeof data === 'string' ? read(JSON.parse(data)) : take(data));
  socket.onclose = ({ code, reason }) => lose('network', reason || `the connection was closed (${code})`);
  step();
}

/** @param {any} message */
function read(message) {
  if (message.type === 'tracks') return describe(message);
  if (message.type === 'skipped') return slack.begin(now());
  if (message.type === 'end') return lose('not-live', message.reason);
  if (message.type === 'error') return lose(message.code, message.message);
}

/** @param {{tracks: any[], missing: any[]}} message */
function describe({ tracks, missing }) {
  kinds = new Map(tracks.map(({ id, kind }) => [id, kind]));
  for (const track of tracks) {
    const text = JSON.stringify(track);
    if (known.get(track.kind) === text) continue;
    known.set(track.kind, text);
    const description = track.description ? Uint8Array.from(atob(track.description), (letter) => letter.charCodeAt(0)) : undefined;
    try {
      if (track.kind === 'video') picture.begin({ codec: track.codec, description });
      else sound.begin({ codec: track.codec, description, sampleRate: track.sampleRate, numberOfChannels: track.channels });
    } catch (error) {
      return lose('codec', String(error));
    }
  }
  settled ||= now() + SETTLE_MS;
  say({ tracks: tracks.map(({ description, ...track }) => track), missing });
}

/** @param {ArrayBuffer} message */
function take(message) {
  if (message.byteLength <= HEAD_BYTES) return;
  const head = new DataView(message, 0, HEAD_BYTES);
  const flags = head.getUint8(1);
  const [dts, pts] = [Number(head.getBigInt64(4)), Number(head.getBigInt64(12))];
  const data = new Uint8Array(message, HEAD_BYTES);
  const at = now();
  const kind = kinds.get(head.getUint8(0));
  if (kind === 'audio') {
    sound.push(pts, data);
    if (!known.has('video')) arrivals.note(dts / 1000, at);
  } else if (kind === 'video') {
    if (flags & BREAKS) {
      arrivals.reset();
      settled = at + SETTLE_MS;
    }
    arrivals.note(dts / 1000, at);
    judge(pts / 1000, at);
    picture.push((flags & STARTS_HERE) !== 0, pts, data);
  }
}

/** Keeps the sound back where its pictures come later. @param {number} media @param {number} at */
function judge(media, at) {
  const time = heard.now(at);
  if (time === null || at < settled) return slack.begin(at);
  const more = slack.note(media - time - DECODING_MS, at);
  if (more) sound.raise(more);
}

/** Drawing keeps step with the screen where workers can. */
function step() {
  if (over) return;
  const next = () => (picture.show(seen), step());
  if (self.requestAnimationFrame) self.requestAnimationFrame(next);
  else setTimeout(next, SCREEN_MS);
}

/** A frame that was asked for while the page was going out of sight does not come before it is back. */
setInterval(() => !seen && picture?.show(false), HIDDEN_MS);

self.onmessage = ({ data }) => {
  if (data.open) open(data.open);
  if (data.ring !== undefined) sound.connect(data.ring);
  if (data.output !== undefined) heard.hear(data.output);
  if (data.seen !== undefined) {
    seen = data.seen;
    picture?.rest();
  }
  if (data.ask) {
    const time = mediaTime();
    say({ figures: { video: picture?.figures, audio: sound.figures, byEar: heard.now(now()) !== null, time, delayMs: arrivals.delayMs } });
  }
  if (data.close) {
    close();
    self.close();
  }
};
