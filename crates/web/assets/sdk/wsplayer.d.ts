/**
 * Types of WSPlayer by itself, for pages that want nothing else; `player.d.ts` has the player that also finds other ways.
 */
import type { HeadwaterError } from './headwater.d.ts';
import type { SessionStats } from './stats.js';

export interface WsPlayerOptions {
  /** Address of the server. */
  base: string | URL;
  /** The stream's name at the server. */
  name: string;
  /** A canvas that nothing was drawn on; it is given to the player for good. */
  canvas: HTMLCanvasElement;
  token?: string;
  /** 0 to 1; 1 if absent. */
  volume?: number;
  muted?: boolean;
}

/** A track as it comes: see `docs/reference/wsplayer.md`. */
export interface Track {
  id: number;
  kind: 'video' | 'audio';
  format: string;
  codec: string;
  width?: number;
  height?: number;
  frameRate?: number;
  sampleRate?: number;
  channels?: number;
}

/** One session; make a new one after `lost` or `stop`. */
export class WsPlayer extends EventTarget {
  constructor(options: WsPlayerOptions);
  /** Why this browser or page cannot play so; empty if it can. */
  static readonly obstacle: string;
  /** The codecs of the server that this browser decodes, by their names in the address. */
  static codecs(): Promise<string[]>;
  readonly tracks: Track[];
  /** Tracks of the stream that do not come. */
  readonly missing: { kind: string; reason: string }[];
  readonly kinds: string[];
  /** Size of the picture in pixels; 0 before the first. */
  readonly width: number;
  readonly height: number;
  /** What is heard, for meters and recorders; null before the sound is known. */
  readonly output: GainNode | null;
  volume: number;
  muted: boolean;
  /** Begins; resolves with the first picture, or with the first sound of a stream that has no picture. */
  start(): Promise<void>;
  /** Makes the sound heard, as from the viewer's tap. */
  resume(): Promise<void>;
  /** What is measured; rates since the last time it was asked. */
  stats(): Promise<SessionStats | null>;
  stop(): Promise<void>;

  /** `lost`: it is over. `blocked`: no sound before a tap. `resize`, `tracks`: those are others now. */
  addEventListener(type: 'lost', listener: (event: CustomEvent<HeadwaterError>) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: 'blocked' | 'resize' | 'tracks', listener: (event: Event) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}
