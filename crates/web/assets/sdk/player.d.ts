/**
 * Types of the player that finds a way.
 */
import type { HeadwaterError, Rendition } from './headwater.d.ts';
import type { SessionStats } from './stats.js';

export { HeadwaterError } from './headwater.d.ts';

/** A player in the page; nothing happens before `start`. */
export function createPlayer(options: PlayerOptions): Player;

/** A way to play a stream. */
export type Way = 'webrtc' | 'mse' | 'wsplayer' | 'hls';

/** All ways, in the order in which they are tried unless told otherwise. */
export const WAYS: readonly Way[];

/** What people call them. */
export const NAMES: Readonly<Record<Way, string>>;

export interface PlayerOptions {
  /** The stream's name at the server. */
  name: string;
  /** Where it shows: a video element, an element to put one into, or a CSS selector of either. */
  display: HTMLElement | string;
  /** Address of the server, e.g. `https://media.example.org`; the page's own server if absent. */
  url?: string;
  /** Shown to the server with each request. */
  token?: string;
  /** The ways to try, the one that is liked best first; all of `WAYS` if absent. */
  ways?: readonly Way[];
  /** How long a way may take until something is seen, in ms, before the next is tried: 6000 for WebRTC, 5000 for MSE and WSPlayer and 12000 for HLS if absent. */
  deadlinesMs?: Partial<Record<Way, number>>;
  /** STUN and TURN servers for WebRTC; Headwater on a public address needs none. */
  iceServers?: RTCIceServer[];
  /** 0 to 1; 1 if absent. */
  volume?: number;
  muted?: boolean;
}

export type PlayerState = 'idle' | 'connecting' | 'playing' | 'stalled' | 'reconnecting' | 'waiting' | 'error' | 'stopped';

export class Player extends EventTarget {
  constructor(options: PlayerOptions);
  readonly name: string;
  readonly state: PlayerState;
  /** Whether it has been started and neither stopped nor given up. */
  readonly running: boolean;
  /** The last thing that went wrong, while it matters. */
  readonly error: HeadwaterError | null;
  /** Something that is missing though it plays, as a sentence. */
  readonly warning: string;

  /** The way that plays or is tried. */
  readonly way: Way;
  readonly wayName: string;
  /** Which way plays, and why not one that is liked better, as a sentence. */
  readonly why: string;
  /** The ways that failed before this one. */
  readonly tried: { way: Way; code: string; message: string }[];
  /** The order in which ways are tried. Setting it while the stream plays begins anew. */
  ways: Way[];

  /** The element that shows it: the video element, or the canvas of WSPlayer; another one after a change of way. */
  readonly element: HTMLVideoElement | HTMLCanvasElement;
  /** Which of `video`, `audio` come. */
  readonly kinds: string[];
  /** Size of the picture in pixels; 0 if not known yet. */
  readonly width: number;
  readonly height: number;
  /** 0 to 1. */
  volume: number;
  /** A browser may set it until the viewer taps; the event `blocked` says so. */
  muted: boolean;
  /** Once a second while something plays. */
  readonly stats: SessionStats | null;
  /** By HLS: how much can be seen again, and how far behind the live edge we are, in seconds. */
  readonly window: { length: number; behind: number } | null;

  /** Plays, from any state; keeps trying until it is stopped. */
  start(): void;
  stop(): void;
  /** Stops, and takes out of the page what it put there. */
  destroy(): void;
  /** By HLS: shows what was so many seconds before the live edge. */
  seek(behind: number): void;
  toLive(): void;
  /** By WebRTC: lists the sizes that the stream comes in, after choosing one, or `auto`, if it is named. */
  renditions(chosen?: string): Promise<Rendition[]>;

  /** `state`, `stats` once a second, `resize`, `volumechange`, and `blocked`: no sound before the viewer taps. */
  addEventListener(type: 'state' | 'stats' | 'resize' | 'volumechange' | 'blocked', listener: (event: Event) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}
