/**
 * What the player says when it is not simply playing.
 */
import * as format from './format.js';

/**
 * @typedef {object} Notice
 * @property {string} title
 * @property {string} text
 * @property {boolean} [busy]   something goes on by itself
 * @property {string} [action]  what the viewer may do: the label of a button that starts anew
 */

/**
 * The words for the present state; null when the picture speaks for itself.
 * @param {import('./playback.js').Playback} playback
 * @returns {Notice|null}
 */
export function notice(playback) {
  const { name } = playback;
  switch (playback.state) {
    case 'connecting':
      return { title: 'Connecting…', text: playback.tried?.length ? playback.why : '', busy: true };
    case 'waiting':
      if (playback.error?.code === 'starting') return { title: 'About to start', text: 'The stream has begun, but its first picture is still to come.', busy: true };
      return playback.sessions
        ? { title: 'The stream has ended', text: 'Keep this page open: it plays on if the stream comes back.', busy: true }
        : { title: 'Not live yet', text: `Nobody sends “${name}” just now. Keep this page open: it plays as soon as someone does.`, busy: true };
    case 'stalled':
      return { title: 'The stream has paused', text: 'Nothing arrives just now. It plays on as soon as something does.', busy: true };
    case 'reconnecting':
      return { ...trouble(playback), busy: true, action: playback.attempts > 2 ? 'Try now' : undefined };
    case 'error':
      return { ...failure(playback), action: 'Try again' };
    case 'playing':
      return playback.kinds.includes('video') ? null : { title: 'Sound only', text: 'This stream has no picture to show here.' };
    case 'stopped':
      return { title: 'Stopped', text: '', action: 'Play' };
    case 'idle':
      return null;
  }
}

/** @param {import('./playback.js').Playback} playback */
function trouble({ error, attempts }) {
  const text = attempts > 1 ? `Trying again, attempt ${attempts}.` : 'Trying again…';
  switch (error?.code) {
    case 'blocked':
      return {
        title: 'The media does not get through',
        text: `The server answers, but its media port cannot be reached from here. A firewall may be in the way. ${text}`,
      };
    case 'busy':
      return { title: 'The server is full', text: `${said(error)} ${text}`.trim() };
    case 'server':
      return error.status
        ? { title: 'The server has a problem', text: `${said(error)} ${text}`.trim() }
        : { title: 'Connection lost', text };
    default:
      return attempts > 1 ? { title: 'The server cannot be reached', text } : { title: 'Connection lost', text };
  }
}

/** @param {import('./playback.js').Playback} playback */
function failure({ error, stream }) {
  switch (error?.code) {
    case 'codec': {
      const parts = [format.codec(stream?.videoCodec), format.codec(stream?.audioCodec)].filter(Boolean);
      const what = parts.length ? `It is published as ${parts.join(' with ')}.` : '';
      return { title: 'This browser cannot play this stream', text: [what, said(error)].filter(Boolean).join(' ') };
    }
    case 'refused':
      return { title: 'You may not watch this stream', text: said(error) };
    case 'unsupported':
      return { title: 'This browser cannot play live streams', text: `${said(error)} A current version of Chrome, Edge, Firefox or Safari plays them.`.trim() };
    default:
      return { title: 'Something went wrong', text: said(error) };
  }
}

/**
 * The error's own words as a sentence.
 * @param {Error|null} error
 */
function said(error) {
  const words = error?.message.trim() ?? '';
  if (!words) return '';
  return `${words[0].toUpperCase()}${words.slice(1)}${/[.!?…]$/.test(words) ? '' : '.'}`;
}
