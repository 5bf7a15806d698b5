/**
 * Why a device or a screen could not be opened, in words; loaded when one could not.
 */
import { HeadwaterError } from './errors.js';

/** By the names that browsers give. @type {Record<string, string>} */
const MEDIA_ERRORS = {
  NotAllowedError: 'permission-denied',
  SecurityError: 'permission-denied',
  NotFoundError: 'no-device',
  OverconstrainedError: 'no-device',
  NotReadableError: 'device-busy',
  AbortError: 'device-busy',
  InvalidStateError: 'invalid',
  TypeError: 'invalid',
};

/**
 * Why a device or a screen could not be opened. Source: Media Capture and Streams §10.2.
 * @param {any} error
 * @param {boolean} [screen]
 */
export function mediaError(error, screen = false) {
  if (error instanceof HeadwaterError) return error;
  const code = MEDIA_ERRORS[error?.name] ?? 'unsupported';
  const asked = error?.constraint && `no device has the ${error.constraint} that was asked for`;
  // A visitor who closes the choice of screens is not told from one who forbids it.
  return new HeadwaterError(screen && code === 'permission-denied' ? 'cancelled' : code, asked, { cause: error });
}
