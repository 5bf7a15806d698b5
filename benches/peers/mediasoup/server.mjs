// mediasoup with WHIP and WHEP before it, to be measured by `bench against`.
//
//   npm install && node server.mjs
//
// Publish at http://127.0.0.1:12080/NAME/whip, play at http://127.0.0.1:12080/NAME/whep.
// HTTP_PORT and RTC_PORT name other ports; MEDIASOUP_WORKER_BIN a worker that was built elsewhere.
// One worker, which is one thread. The processes to measure are printed: this one, which signals, and the worker.

import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import mediasoup from 'mediasoup';
import * as ortc from 'mediasoup-client/ortc';
import * as common from 'mediasoup-client/handlers/sdp/commonUtils';
import * as unified from 'mediasoup-client/handlers/sdp/unifiedPlanUtils';
import { RemoteSdp } from 'mediasoup-client/handlers/sdp/RemoteSdp';
import sdpTransform from 'sdp-transform';

const ip = '127.0.0.1';
const httpPort = Number(process.env.HTTP_PORT ?? 12080);
const rtcPort = Number(process.env.RTC_PORT ?? 12090);
const offerBytesMax = 64 * 1024;

// Consumers send the payload types of the router, whatever was offered (mediasoup expects to be the offerer).
// So these are the types of the agents' offers. RTX gets the lowest from 100 that is free: 101, as offered.
const mediaCodecs = [
  { kind: 'audio', mimeType: 'audio/opus', clockRate: 48000, channels: 2, preferredPayloadType: 112 },
  {
    kind: 'video',
    mimeType: 'video/H264',
    clockRate: 90000,
    preferredPayloadType: 100,
    parameters: { 'packetization-mode': 1, 'profile-level-id': '4d001f', 'level-asymmetry-allowed': 1 },
  },
];

const worker = await mediasoup.createWorker({ logLevel: 'warn' });
worker.on('died', () => process.exit(1));
const webRtcServer = await worker.createWebRtcServer({ listenInfos: [{ protocol: 'udp', ip, port: rtcPort }] });
const router = await worker.createRouter({ mediaCodecs });
// Names of streams to their producers, and ids of sessions to their transports.
const streams = new Map();
const sessions = new Map();

// A transport that the other side's offer is connected to, and the answer that is being written.
async function open(offer) {
  const transport = await router.createWebRtcTransport({ webRtcServer, initialAvailableOutgoingBitrate: 10_000_000 });
  const dtlsParameters = common.extractDtlsParameters({ sdpObject: offer });
  await transport.connect({ dtlsParameters: { ...dtlsParameters, role: 'client' } });
  const { iceParameters, iceCandidates } = transport;
  const fingerprints = transport.dtlsParameters.fingerprints.filter(({ algorithm }) => algorithm === 'sha-256');
  const server = { role: 'server', fingerprints };
  return { transport, answer: new RemoteSdp({ iceParameters, iceCandidates, dtlsParameters: server }) };
}

async function publish(name, offer) {
  const { transport, answer } = await open(offer);
  const extended = ortc.getExtendedRtpCapabilities(
    common.extractRtpCapabilities({ sdpObject: offer }),
    structuredClone(router.rtpCapabilities),
    false,
  );
  const producers = [];
  for (const media of offer.media) {
    const rtpParameters = ortc.getSendingRtpParameters(media.type, extended);
    const answered = ortc.getSendingRemoteRtpParameters(media.type, extended);
    rtpParameters.codecs = ortc.reduceCodecs(rtpParameters.codecs);
    answered.codecs = ortc.reduceCodecs(answered.codecs);
    rtpParameters.mid = String(media.mid);
    rtpParameters.rtcp = { cname: common.getCname({ offerMediaObject: media }) };
    rtpParameters.encodings = unified.getRtpEncodings({ offerMediaObject: media, codecs: rtpParameters.codecs });
    answer.send({ offerMediaObject: media, offerRtpParameters: rtpParameters, answerRtpParameters: answered });
    producers.push(await transport.produce({ kind: media.type, rtpParameters }));
  }
  streams.get(name)?.transport.close();
  streams.set(name, { transport, producers });
  transport.observer.on('close', () => {
    if (streams.get(name)?.transport === transport) streams.delete(name);
  });
  return { transport, sdp: answer.getSdp() };
}

async function play(name, offer) {
  const { producers } = streams.get(name);
  const { transport, answer } = await open(offer);
  const rtpCapabilities = common.extractRtpCapabilities({ sdpObject: offer });
  const ssrcs = [];
  for (const media of offer.media) {
    const { id: producerId } = producers.find((producer) => producer.kind === media.type);
    const { rtpParameters } = await transport.consume({ producerId, rtpCapabilities, mid: String(media.mid) });
    const { codecs, encodings, rtcp } = rtpParameters;
    if (!codecs.every((codec) => isOffered(media, codec))) {
      throw new Error(`the offer has other payload types than ${codecs.map((codec) => codec.payloadType)}`);
    }
    answer.send({ offerMediaObject: media, offerRtpParameters: rtpParameters, answerRtpParameters: rtpParameters });
    const cname = { attribute: 'cname', value: rtcp.cname };
    ssrcs.push(encodings.flatMap(({ ssrc, rtx }) => [ssrc, rtx?.ssrc].filter(Boolean).map((id) => ({ id, ...cname }))));
  }
  const sdp = sdpTransform.parse(answer.getSdp());
  sdp.media.forEach((media, at) => {
    media.direction = 'sendonly';
    media.ssrcs = ssrcs[at];
    if (ssrcs[at].length === 2) {
      media.ssrcGroups = [{ semantics: 'FID', ssrcs: ssrcs[at].map(({ id }) => id).join(' ') }];
    }
  });
  return { transport, sdp: sdpTransform.write(sdp) };
}

function isOffered(media, { payloadType, mimeType }) {
  const name = mimeType.split('/')[1].toLowerCase();
  return media.rtp.some(({ payload, codec }) => payload === payloadType && codec.toLowerCase() === name);
}

async function read(request) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > offerBytesMax) throw new Error('an offer of this size is not read');
  }
  return body;
}

async function answer(request, response) {
  const [, name, what] = request.url.split('/');
  if (request.method === 'DELETE') {
    sessions.get(what)?.close();
    return response.writeHead(200).end();
  }
  const begin = { whip: publish, whep: play }[what];
  if (request.method !== 'POST' || !begin || (begin === play && !streams.has(name))) {
    return response.writeHead(404).end();
  }
  const { transport, sdp } = await begin(name, sdpTransform.parse(await read(request)));
  const id = randomUUID();
  sessions.set(id, transport);
  transport.observer.on('close', () => sessions.delete(id));
  transport.on('icestatechange', (state) => state === 'disconnected' && transport.close());
  transport.on('dtlsstatechange', (state) => (state === 'closed' || state === 'failed') && transport.close());
  response.writeHead(201, { 'Content-Type': 'application/sdp', Location: `/sessions/${id}` }).end(sdp);
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end(String(error));
  });
});
server.listen(httpPort, ip, () => console.log(`--process ${process.pid} --process ${worker.pid}`));
