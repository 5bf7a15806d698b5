/**
 * Runs that somebody has kept, in this browser.
 *
 * @typedef {object} Kept
 * @property {string} id
 * @property {string} title
 * @property {number} at     when it was kept, ms since 1970
 * @property {import('./model.js').Found} found
 */
import { recall, remember } from '../../dom.js';
import { thinned } from './model.js';

const KEY = 'console.runs';
/** So many runs are kept, of so many points each: a browser gives a page some 5 MB. */
export const KEPT_MAX = 12;
const POINTS_MAX = 600;

/** The newest first. @returns {Kept[]} */
export function list() {
  try {
    const all = JSON.parse(recall(KEY) ?? '[]');
    return Array.isArray(all) ? all.filter((kept) => typeof kept?.id === 'string' && Array.isArray(kept.found?.parts)) : [];
  } catch {
    return []; // what stands there is not ours
  }
}

/** @param {string} id */
export const find = (id) => list().find((kept) => kept.id === id) ?? null;

/**
 * Keeps a run.
 * @param {string} title @param {import('./model.js').Found} found
 * @returns {string} its id, or nothing where the browser has no room or does not let pages keep anything
 */
export function keep(title, found) {
  const all = list();
  const kept = { id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, title, at: Date.now(), found: thinned(found, POINTS_MAX) };
  remember(KEY, JSON.stringify([kept, ...all].slice(0, KEPT_MAX)));
  return find(kept.id) ? kept.id : '';
}

/** @param {string} id @param {string} title */
export function rename(id, title) {
  remember(KEY, JSON.stringify(list().map((kept) => (kept.id === id ? { ...kept, title } : kept))));
}

/** @param {string} id */
export function forget(id) {
  remember(KEY, JSON.stringify(list().filter((kept) => kept.id !== id)));
}
