/**
 * Which server to connect to, by the word of a load balancer as WCS has it.
 */
import { HeadwaterError } from './errors.js';

const ASK_MS = 5000;
/** Streams that begin at once go to one server. @type {WeakMap<import('./session.js').Session, Promise<URL>>} */
const asking = new WeakMap();

/**
 * Asks the balancer of a session, and has the session go where it says.
 * @param {import('./session.js').Session} session
 */
export async function ask(session) {
  const asked = asking.get(session) ?? answer(new URL(session.lbUrl ?? '', document.baseURI)).finally(() => asking.delete(session));
  asking.set(session, asked);
  session.url = await asked;
}

/** @param {URL} address */
async function answer(address) {
  const balancer = `the load balancer ${address.host}`;
  const response = await fetch(address, { cache: 'no-store', signal: AbortSignal.timeout(ASK_MS) }).catch((cause) => {
    throw new HeadwaterError('network', `${balancer} does not answer`, { cause });
  });
  const { status } = response;
  if (status === 503) throw new HeadwaterError('busy', `${balancer} has no server for us now`, { status });
  if (!response.ok) throw new HeadwaterError('server', `${balancer} names no server: its answer has the status ${status}`, { status });
  const { server, ws, wss } = await response.json().catch(() => ({}));
  const safe = address.protocol === 'https:';
  try {
    return new URL(`${safe ? 'https' : 'http'}://${server.trim()}:${safe ? wss : ws}/`);
  } catch (cause) {
    throw new HeadwaterError('server', `${balancer} names no server that can be connected to`, { cause });
  }
}
