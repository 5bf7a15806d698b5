/**
 * The Headwater Web SDK: live streams from and to a web page. Everything public is told in headwater.d.ts.
 */
import { Session } from './session.js';

export { HeadwaterError } from './errors.js';
export { devices } from './media.js';
export { Session } from './session.js';
export { Stream } from './stream.js';

/** @param {import('./headwater.d.ts').SessionOptions} [options] */
export const createSession = (options) => new Session(options);
