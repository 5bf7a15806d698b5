/**
 * Types of the Headwater Web SDK.
 */

/** The server. Makes no connection by itself. */
export function createSession(options?: SessionOptions): Session;

export interface SessionOptions {
  /** Address of the server, e.g. `https://media.example.org`; the page's own server if absent. */
  url?: string;
  /**
   * Address of a load balancer in the form of WCS, e.g. `https://origin.example.org:8443/balancer`. It is asked for the
   * server each time that the session connects and nothing of it is connected yet; `url` then has its answer.
   */
  lbUrl?: string;
  /**
   * How the server is spoken to: by the session protocol over a WebSocket, which also tells viewers who is muted, or
   * by WHIP and WHEP, which any such server understands and which finds a new path when the network changes.
   * `session` if absent.
   */
  transport?: 'session' | 'whip';
  /** Sent as a bearer token with each request. */
  token?: string;
  /** STUN and TURN servers; Headwater on a public address needs none. */
  iceServers?: RTCIceServer[];
}

export class Session {
  /** The server; with `lbUrl` the one that was named last. */
  url: URL;
  readonly lbUrl?: string;
  readonly iceServers: RTCIceServer[];
  /** The streams that run. */
  readonly streams: Stream[];
  /** A stream to publish or to play; nothing happens before `publish` or `play`. */
  createStream(options: StreamOptions): Stream;
  /** Stops all streams. */
  close(): Promise<void>;
}

/** Where a published stream comes from. Tracks of a `MediaStream` of yours stay yours: `stop` leaves them running. */
export type Source = 'camera' | 'screen' | MediaStream | HTMLCanvasElement | HTMLMediaElement;

/** Whether a medium is wanted: yes or no, the id of a device, or constraints for it. */
export type Wish = boolean | string | MediaTrackConstraints;

export interface Wishes {
  audio?: Wish;
  video?: Wish;
  /** Sound of the shared tab or system, for `screen`. */
  systemAudio?: boolean;
}

export interface StreamOptions extends Wishes {
  /** The stream's name at the server: letters, digits, `.`, `_`, `-`, and `/` between up to four parts. */
  name: string;
  /** Where it shows: a video element, an element to put one into, or a CSS selector of either. */
  display?: HTMLElement | string;
  /** What is published; the camera if absent. */
  source?: Source;
  /** Sound. Publishing: the microphone, `true` for a camera and `false` for other sources. Playing: `true`. */
  audio?: Wish;
  /** Picture; `true` if absent. */
  video?: Wish;
  /** Three sizes (`true`) or your own encodings with a `rid` each, smallest first. */
  simulcast?: boolean | RTCRtpEncodingParameters[];
  /** The most that the picture may take, in bit/s. */
  maxBitrate?: number;
  /** What gives way when bandwidth or processor are short: `maintain-resolution`, so frames rather than size, if absent. */
  degradation?: 'maintain-resolution' | 'maintain-framerate' | 'balanced';
  /**
   * Publishing by a session: whether the picture may go as the camera sees it, with how it is to be turned beside it.
   * Viewers over WebRTC turn it, those of other protocols do not. `false` if absent: it is turned before it is sent. By
   * WHIP the server decides.
   */
  cvoExtension?: boolean;
  /** Video codecs, the best liked first; `['H264']` if absent, which every other protocol takes unconverted. */
  codecs?: string[];
  /** Playing: wait for a stream that is not live yet, and for a server that is not there yet. */
  wait?: boolean;
  /** How a lost connection is made anew; `false` for never. */
  reconnect?: false | Reconnect;
}

export interface Reconnect {
  /** Delay before the second try, in ms; doubled each time. 300 if absent. */
  delayMinMs?: number;
  /** The longest delay, in ms. 10000 if absent. */
  delayMaxMs?: number;
  /** Tries in a row after which the stream fails; without end if absent. */
  attemptsMax?: number;
}

export type StreamState = 'idle' | 'connecting' | 'publishing' | 'playing' | 'reconnecting' | 'stopped' | 'failed';

export interface Muted {
  audio: boolean;
  video: boolean;
}

export interface StreamEvents {
  state: CustomEvent<StreamState>;
  /** Once a second while media flows; `quality` is new as well. */
  stats: CustomEvent<Stats>;
  mute: CustomEvent<Muted>;
  /** Playing by `session`: the publisher has muted something, or has it back. */
  remotemute: CustomEvent<Muted>;
  /** The browser lets the page play without sound only; call `unmuteAudio` when the viewer taps. */
  blocked: Event;
  /** Something went wrong though the stream goes on, e.g. the microphone was unplugged. */
  problem: CustomEvent<HeadwaterError>;
}

export class Stream extends EventTarget {
  readonly name: string;
  readonly state: StreamState;
  /** Why it failed, or why it reconnects. */
  readonly error: HeadwaterError | null;
  readonly stats: Stats | null;
  readonly quality: Quality;
  readonly audioMuted: boolean;
  readonly videoMuted: boolean;
  /** Playing by `session`: what the publisher has muted. */
  readonly remoteMuted: Muted;
  /** What is sent or received; the same object as long as the stream lives. */
  readonly media: MediaStream;
  /** The element that shows it. */
  readonly display: HTMLMediaElement | null;
  /** The peer connection, for what is not offered here; another one after a reconnection. */
  readonly peer: RTCPeerConnection | null;
  /** Whether it has been started and neither stopped nor failed. */
  readonly running: boolean;

  /** Sends the source to the server. Resolves once media flows; rejects with a `HeadwaterError`. */
  publish(): Promise<Stream>;
  /**
   * Shows the stream. Resolves once media flows; rejects with a `HeadwaterError`. Of a stream that comes in several
   * sizes, `rendition` is the label of the one to show; the one that the network carries if absent.
   */
  play(options?: { rendition?: string }): Promise<Stream>;
  /** Ends it and lets go of camera, connection and element. */
  stop(): Promise<void>;

  /** Playing: the sizes that the stream comes in just now; none if it comes in one alone. */
  renditions(): Promise<Rendition[]>;
  /** Playing: shows the size of this label, or with `auto` the one that the network carries. Kept by reconnections. */
  setRendition(label: string): Promise<void>;

  /** Publishing: sends silence. Playing: mutes the element. */
  muteAudio(): void;
  unmuteAudio(): void;
  /** Publishing: sends black. Playing: shows black. */
  muteVideo(): void;
  unmuteVideo(): void;

  /** Changes the camera while live: a device id or constraints. */
  useCamera(wish?: Wish): Promise<void>;
  /** Changes the microphone while live: a device id or constraints. */
  useMicrophone(wish?: Wish): Promise<void>;
  /** Sends a screen instead of the camera; the camera comes back when the visitor ends that. */
  useScreen(wishes?: Wishes): Promise<void>;
  /** Changes the source while live. */
  use(source: Source, wishes?: Wishes): Promise<void>;

  addEventListener<K extends keyof StreamEvents>(type: K, listener: (event: StreamEvents[K]) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

/** One of several sizes that a source sends at once (simulcast). */
export interface Rendition {
  label: string;
  /** Pixels; 0 if not known yet. The same for the next. */
  width: number;
  height: number;
}

export interface Flow {
  codec: string;
  /** bit/s over the last second. */
  bitrate: number | null;
  packets: number;
  /** Of the last second. */
  lossPercent: number | null;
  fps: number | null;
  width: number;
  height: number;
  /** Encoded or decoded. */
  frames: number;
  /** Playing only. */
  freezes: number;
  /** Publishing only: what holds the picture down. */
  limitedBy: 'bandwidth' | 'cpu' | '';
}

export interface Stats {
  /** ms since 1970. */
  at: number;
  video: Flow | null;
  audio: Flow | null;
  /** bit/s, all media. */
  bitrate: number | null;
  lossPercent: number | null;
  rttMs: number | null;
  jitterMs: number | null;
  /** Publishing only: what the path is thought to carry, in bit/s. */
  availableBitrate: number | null;
  transport: 'UDP' | 'TCP' | '';
}

export interface Quality {
  /** 0 none, 1 bad, 2 poor, 3 good, 4 excellent. */
  level: 0 | 1 | 2 | 3 | 4;
  word: string;
  /** What holds it down, as a sentence; empty at 4. */
  reason: string;
}

export type ErrorCode =
  | 'permission-denied' | 'no-device' | 'device-busy' | 'device-lost' | 'cancelled' | 'insecure-origin'
  | 'unsupported' | 'invalid' | 'name-in-use' | 'not-live' | 'starting' | 'refused' | 'codec' | 'busy'
  | 'server' | 'network' | 'blocked' | 'stopped';

/** `message` is a sentence for people. */
export class HeadwaterError extends Error {
  readonly code: ErrorCode;
  /** What people can do about it, as a sentence. */
  readonly advice: string;
  /** HTTP status, or 0. */
  readonly status: number;
  /** Seconds the server asks to wait, or 0. */
  readonly retryAfter: number;
  /** Whether the same may go well a little later by itself. */
  readonly passing: boolean;
}

/** How a session speaks to the server: over WHIP and WHEP, or over a WebSocket. */
export interface Signalling {
  /** Begins the session; resolves with the answer. */
  offer(sdp: string): Promise<string>;
  /** Tells a candidate that was found after the offer. */
  candidate?(candidate: RTCIceCandidate, description: string): void;
  /** Restarts ICE; resolves with the new answer. */
  restart?(sdp: string, answer: string): Promise<string>;
  /** Ends the session and tells the server. */
  close(): Promise<void>;
  /** The session has ended by itself. */
  forget(): void;
  /** Tells the viewers what the publisher mutes. */
  mute?(kind: 'audio' | 'video', muted: boolean): void;
  /** Lists the renditions, after choosing one if it is named. */
  renditions?(chosen?: string): Promise<Rendition[]>;
  /** Says a message of this stream; the answers to questions go to those who wait in `questions`, in their order. */
  say?(message: string, data: object): void;
  questions?: ((answer: any) => void)[];
  /** Called when the publisher mutes. */
  onmute?: ((kind: 'audio' | 'video', muted: boolean) => void) | null;
  /** Called when the server ends the session. */
  onend: ((error: HeadwaterError) => void) | null;
}

export interface Device {
  id: string;
  label: string;
}

/** Cameras, microphones and loudspeakers; without names before the visitor has allowed any.
 * `navigator.mediaDevices` has the event `devicechange`. */
export function devices(): Promise<{ cameras: Device[]; microphones: Device[]; speakers: Device[] }>;
