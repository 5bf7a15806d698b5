/**
 * Plays by MSE over a WebSocket, in the video element.
 */
import { MsePlayer } from '../mse.js';
import { WrappedWay } from './wrapped.js';

export class MseWay extends WrappedWay {
  /** @param {import('./video.js').Wish} wish */
  constructor(wish) {
    WrappedWay.check(MsePlayer.obstacle);
    wish.video.srcObject = null;
    super(new MsePlayer(wish), wish.video);
  }
}
