/**
 * The Headwater Web SDK: live streams from and to a web page over WebRTC.
 *
 *     import { createSession } from '/assets/sdk/headwater.js';
 *     const session = createSession({ url: 'https://media.example.org' });
 *     const stream = session.createStream({ name: 'room', display: '#video' });
 *     await stream.publish();   // or stream.play()
 *
 * Types and what each thing means: headwater.d.ts.
 */
import { Session } from './session.js';

export { HeadwaterError } from './errors.js';
export { devices } from './media.js';
export { Session } from './session.js';
export { Stream } from './stream.js';

/** @param {import('./headwater.d.ts').SessionOptions} [options] */
export const createSession = (options) => new Session(options);
