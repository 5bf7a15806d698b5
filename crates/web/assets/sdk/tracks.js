/**
 * What a connection sends or receives: encodings, simulcast, the choice of codec.
 *
 * @import { StreamOptions as Options } from './headwater.d.ts'
 */

/** Small, half and full size. */
const LAYERS = [{ rid: 'q', scaleResolutionDownBy: 4 }, { rid: 'h', scaleResolutionDownBy: 2 }, { rid: 'f' }];

/** @param {RTCPeerConnection} peer @param {MediaStream} media @param {Options} options */
export function send(peer, media, { simulcast, maxBitrate, codecs = ['H264'], degradation = 'maintain-resolution' }) {
  for (const track of media.getTracks()) {
    const video = track.kind === 'video';
    const layers = video && simulcast ? (simulcast === true ? LAYERS : simulcast) : [{}];
    /** @type {RTCRtpEncodingParameters[]} */
    const sendEncodings = layers.map((layer) => ({ ...layer }));
    if (video && maxBitrate) sendEncodings[sendEncodings.length - 1].maxBitrate ??= maxBitrate;
    const transceiver = peer.addTransceiver(track, { direction: 'sendonly', streams: [media], sendEncodings });
    if (!video) continue;
    prefer(transceiver, codecs);
    const { sender } = transceiver;
    // A picture that an encoder has made small takes long to grow again.
    sender.setParameters?.(/** @type {any} */ ({ ...sender.getParameters(), degradationPreference: degradation })).catch(() => {});
  }
}

/**
 * Puts the wanted codecs first. H.264, the usual wish, is what all other protocols take without conversion.
 * @param {RTCRtpTransceiver} transceiver
 * @param {string[]} codecs
 */
function prefer(transceiver, codecs) {
  const known = RTCRtpSender.getCapabilities?.('video')?.codecs ?? [];
  const first = codecs.flatMap((codec) => known.filter(({ mimeType }) => mimeType.toLowerCase() === `video/${codec.toLowerCase()}`));
  if (first.length) transceiver.setCodecPreferences?.([...new Set([...first, ...known])]);
}

/**
 * The media keeps its place in the element, so that a reconnection shows as a still picture and no more.
 * @param {RTCPeerConnection} peer
 * @param {MediaStream} media
 * @param {Options} options
 * @param {(track: MediaStreamTrack) => void} added
 */
export function receive(peer, media, { video = true, audio = true }, added) {
  if (video) peer.addTransceiver('video', { direction: 'recvonly' });
  if (audio) peer.addTransceiver('audio', { direction: 'recvonly' });
  peer.addEventListener('track', ({ track }) => {
    for (const old of media.getTracks()) if (old.kind === track.kind) media.removeTrack(old);
    media.addTrack(track);
    added(track);
  });
}
