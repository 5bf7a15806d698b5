// What the modules need of a browser and Node.js does not have: a peer connection without a network, media, an element.
import { createServer } from 'node:http';

export const OFFER = [
  'v=0', 'a=ice-ufrag:abcd', 'a=ice-pwd:efgh', 'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=mid:0',
  'a=rtpmap:111 opus/48000/2', 'a=fmtp:111 minptime=10', '',
].join('\r\n');
export const ANSWER = ['v=0', 'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=mid:0', 'a=ice-ufrag:srv1', 'a=ice-pwd:pass1', 'a=candidate:1 1 udp 1 192.0.2.9 8189 typ host', ''].join('\r\n');

export class Track extends EventTarget {
  enabled = true;
  readyState = 'live';
  constructor(kind) {
    super();
    this.kind = kind;
  }
  stop() {
    this.readyState = 'ended';
  }
}

export class Media {
  #tracks;
  constructor(tracks = []) {
    this.#tracks = [...tracks];
  }
  getTracks() {
    return [...this.#tracks];
  }
  getAudioTracks() {
    return this.#tracks.filter(({ kind }) => kind === 'audio');
  }
  addTrack(track) {
    this.#tracks.push(track);
  }
  removeTrack(track) {
    this.#tracks = this.#tracks.filter((one) => one !== track);
  }
}

export class Peer extends EventTarget {
  /** All that were made, the newest last. */
  static all = [];
  connectionState = 'new';
  localDescription = null;
  currentRemoteDescription = null;
  senders = [];
  offers = 0;
  constructor() {
    super();
    Peer.all.push(this);
  }
  static get last() {
    return Peer.all.at(-1);
  }
  addTransceiver(what, options) {
    this.senders.push({
      track: what.kind ? what : null,
      options,
      async replaceTrack(track) {
        this.track = track;
      },
    });
    return { sender: {} };
  }
  getReceivers() {
    return [];
  }
  getSenders() {
    return this.senders;
  }
  async getStats() {
    return new Map();
  }
  async createOffer() {
    this.offers += 1;
    return { type: 'offer', sdp: OFFER.replace('abcd', `abcd${this.offers}`) };
  }
  async setLocalDescription(description) {
    this.localDescription = description;
    const event = new Event('icecandidate');
    event.candidate = { candidate: 'candidate:1 1 udp 1 192.0.2.1 5000 typ host', sdpMid: '0' };
    queueMicrotask(() => this.dispatchEvent(event));
  }
  async setRemoteDescription(description) {
    if (description.sdp === 'bad') throw new Error('no');
    this.currentRemoteDescription = description;
  }
  become(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }
  close() {
    this.connectionState = 'closed';
  }
}

/** An element that media shows in. */
export class Display {
  srcObject = null;
  muted = false;
  async play() {}
}

/** Sets the page up; `devices` stands for what the visitor's machine has. */
export function install(address, devices = {}) {
  Object.assign(globalThis, {
    RTCPeerConnection: Peer,
    RTCRtpSender: {},
    MediaStream: Media,
    document: { baseURI: address },
    isSecureContext: true,
  });
  Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices: devices }, configurable: true });
}

/**
 * A server of one test. `answer(request)` gives `{status, headers, body}`; what was asked is in `asked`.
 */
export async function serve(answer) {
  const asked = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      const { method, url, headers } = request;
      asked.push({ method, url, headers, body });
      const { status, headers: more = {}, body: text = '' } = answer({ method, url, headers, body });
      response.writeHead(status, more).end(text);
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const address = `http://127.0.0.1:${server.address().port}`;
  const close = () => (server.closeAllConnections(), new Promise((done) => server.close(done)));
  return { address, asked, close };
}

/** Waits until a condition holds. */
export async function until(what, condition, withinMs = 4000) {
  const end = Date.now() + withinMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 5));
  }
}
