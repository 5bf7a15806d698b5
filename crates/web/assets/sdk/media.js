/**
 * Where media comes from: cameras, microphones, screens, canvases, or any MediaStream.
 *
 * @import { Source, Wish, Wishes } from './headwater.d.ts'
 */
import { HeadwaterError, loaded } from './errors.js';

/** What a camera is asked for unless the caller knows better. */
const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
const CANVAS_FPS = 30;

/** Tracks that end with the stream; those of a page's own MediaStream stay. @type {WeakSet<MediaStreamTrack>} */
const opened = new WeakSet();

/**
 * Opens a source.
 * @param {Source} source
 * @param {Wishes} wishes
 * @returns {Promise<MediaStreamTrack[]>}
 */
export async function open(source, { audio, video = true, systemAudio = false }) {
  if (source === 'camera') return capture(audio ?? true, video);
  if (source === 'screen') return share(audio, video, systemAudio);
  const tracks = tracksOf(source);
  if (tracks.length === 0) throw new HeadwaterError('invalid', 'the source has neither picture nor sound');
  return audio && 'getContext' in source ? [...tracks, ...(await capture(audio, false))] : tracks;
}

/** @param {Wish|undefined} audio @param {Wish} video @param {boolean} systemAudio */
async function share(audio, video, systemAudio) {
  const devices = mediaDevices();
  if (!devices.getDisplayMedia) throw new HeadwaterError('unsupported', 'this browser cannot share its screen');
  const wish = typeof video === 'object' ? video : true;
  const shared = await devices.getDisplayMedia({ video: wish, audio: systemAudio }).catch((error) => refuse(error, true));
  const tracks = own(shared);
  // Text is to stay sharp; a film may still ask for motion.
  for (const track of tracks) if (track.kind === 'video') track.contentHint = 'detail';
  if (!audio || shared.getAudioTracks().length) return tracks;
  try {
    return [...tracks, ...(await capture(audio, false))];
  } catch (error) {
    release(tracks);
    throw error;
  }
}

/** Opens camera, microphone or both. @param {Wish} audio @param {Wish} video */
async function capture(audio, video) {
  if (!audio && !video) throw new HeadwaterError('invalid', 'neither picture nor sound was asked for');
  const wishes = { audio: constraints(audio, {}), video: constraints(video, CAMERA) };
  return own(await mediaDevices().getUserMedia(wishes).catch(refuse));
}

/** @param {unknown} error @param {boolean} [screen] @returns {Promise<never>} */
async function refuse(error, screen) {
  throw (await loaded(import('./device-errors.js'))).mediaError(error, screen);
}

/** @param {Wish} wish @param {MediaTrackConstraints} usual */
function constraints(wish, usual) {
  if (typeof wish === 'string') return { ...usual, deviceId: { exact: wish } };
  return typeof wish === 'object' ? { ...usual, ...wish } : wish && usual;
}

/** @param {Exclude<Source, string>} source */
function tracksOf(source) {
  if ('getTracks' in source) return source.getTracks();
  const element = /** @type {any} */ (source);
  if (typeof element?.captureStream !== 'function') throw new HeadwaterError('unsupported', 'this browser cannot capture that element');
  return own(element.captureStream('getContext' in source ? CANVAS_FPS : undefined));
}

/** @param {MediaStream} stream */
function own(stream) {
  for (const track of stream.getTracks()) opened.add(track);
  return stream.getTracks();
}

/**
 * Switches off what `open` switched on.
 * @param {MediaStreamTrack[]} tracks
 */
export function release(tracks) {
  for (const track of tracks) if (opened.has(track)) track.stop();
}

function mediaDevices() {
  if (globalThis.isSecureContext === false) throw new HeadwaterError('insecure-origin');
  if (!navigator.mediaDevices) throw new HeadwaterError('unsupported', 'this browser gives no camera to pages');
  return navigator.mediaDevices;
}

/**
 * Cameras, microphones and loudspeakers. Before the visitor has allowed any, browsers give them no names.
 */
export async function devices() {
  const all = await mediaDevices().enumerateDevices();
  const list = (/** @type {string} */ kind, /** @type {string} */ word) =>
    all
      .filter((device) => device.kind === kind && device.deviceId)
      .map((device, index) => ({ id: device.deviceId, label: device.label || `${word} ${index + 1}` }));
  return {
    cameras: list('videoinput', 'Camera'),
    microphones: list('audioinput', 'Microphone'),
    speakers: list('audiooutput', 'Speaker'),
  };
}
