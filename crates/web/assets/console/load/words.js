/**
 * Numbers of runs as people read them.
 */
import * as format from '../../format.js';
import { percent } from '../figures.js';

/** @type {Record<string, string>} */
export const STATES = { PREPARING: 'Prepares', RAMPING: 'Agents come', HOLDING: 'All are there', LEAVING: 'Agents leave', DONE: 'Over', FAILED: 'Failed' };

/** @param {string} state */
export const tone = (state) => (state === 'FAILED' ? 'bad' : state === 'DONE' ? '' : 'good');

/** A share from 0 to 1. @param {number|null|undefined} share */
export const share = (share) => (share == null ? '' : percent(share * 100, share > 0 && share < 0.1 ? 2 : share ? 1 : 0));

/** @param {number|null|undefined} ms */
export const ms = (ms) => format.milliseconds(ms);

/** @param {number|null|undefined} bits */
export const rate = (bits) => (bits == null ? '' : format.bitrate(bits) || '0 kbit/s');

/** @param {number|null|undefined} count */
export const count = (count) => (count == null ? '' : format.number(count));

/** @param {number|null|undefined} value @param {string} unit of `COMPARED` */
export function figure(value, unit) {
  if (value == null) return '–';
  switch (unit) {
    case 'bitrate': return rate(value);
    case 'share': return share(value);
    case 'ms': return ms(value);
    case 'seconds': return `${format.number(value, 1)} s`;
    case 'percent': return percent(value, 1);
    case 'cores': return format.number(value, 2);
    default: return count(value);
  }
}

/** A spread of times as its median and its end. @param {any} spread @param {string} quantile */
export const spread = (spread, quantile = 'p95') => (spread ? `${ms(spread.p50)} / ${ms(spread[quantile])}` : '');

/** What a bound is called. @type {Record<string, string>} */
export const BOUNDS = {
  failed_max: 'Agents that fail, at most',
  live_min: 'Agents at once, at least',
  loss_max: 'Share of packets lost, at most',
  latency_p50_ms: 'Latency, median, at most ms',
  latency_p99_ms: 'Latency, 99 in 100, at most ms',
  first_picture_p95_ms: 'First picture, 95 in 100, at most ms',
  freezes_max: 'Freezes, at most',
  undecodable_max: 'Pictures that cannot be decoded, at most',
  decoded_min: 'Pictures decoded, at least',
};
