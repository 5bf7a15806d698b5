/**
 * The sizes that a stream comes in, and the choice among them; loaded when a page first asks.
 *
 * @import { Rendition, Signalling } from './headwater.d.ts'
 */
import { HeadwaterError } from './errors.js';

const ANSWER_MS = 8000;

/**
 * Lists the renditions of a stream that plays, after choosing one, or `auto`, if it is named.
 * @param {Signalling|null} signalling  none if nothing plays
 * @param {string} [chosen]
 * @returns {Promise<Rendition[]>}
 */
export async function renditions(signalling, chosen) {
  if (!signalling) throw new HeadwaterError('invalid', 'only a stream that plays has renditions to choose from');
  return (signalling.renditions ?? bySocket).call(signalling, chosen);
}

/**
 * By the session protocol, whose server answers one after the other, in the order of the questions.
 * @this {Signalling}
 * @param {string} [chosen]
 * @returns {Promise<Rendition[]>}
 */
function bySocket(chosen) {
  return new Promise((resolve, reject) => {
    const questions = (this.questions ??= []);
    const timer = setTimeout(() => reject(new HeadwaterError('network')), ANSWER_MS);
    questions.push(({ renditions, info }) => {
      clearTimeout(timer);
      if (info) return reject(new HeadwaterError('invalid', info));
      resolve(renditions.map((/** @type {any} */ { label, width, height }) => ({ label, width: width ?? 0, height: height ?? 0 })));
    });
    this.say?.(chosen === undefined ? 'getRenditions' : 'setRendition', { rendition: chosen });
  });
}
