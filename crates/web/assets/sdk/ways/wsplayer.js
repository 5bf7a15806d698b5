/**
 * Plays by WSPlayer, on a canvas of its own.
 */
import { WsPlayer } from '../wsplayer.js';
import { WrappedWay } from './wrapped.js';

export class WsPlayerWay extends WrappedWay {
  /** @param {import('./video.js').Wish} wish */
  constructor({ makeCanvas, ...wish }) {
    WrappedWay.check(WsPlayer.obstacle);
    const canvas = makeCanvas();
    super(new WsPlayer({ ...wish, canvas }), canvas);
  }

  async stop() {
    this.element.remove();
    await super.stop();
  }
}
