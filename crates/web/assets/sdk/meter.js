/**
 * What a session measures once a second, and how good the connection is.
 *
 * @import { Flow, Quality, Stats } from './headwater.d.ts'
 */

const LEVELS = ['none', 'bad', 'poor', 'good', 'excellent'];

export class Meter {
  /** @type {Map<string, any>} */
  #before = new Map();
  #freezes = 0;
  #moved = { packets: -1, at: 0 };
  /** How good the connection was at the last reading. @type {Quality} */
  quality = quality(null);

  /** For how long no packet has come. */
  get stillMs() {
    return Date.now() - this.#moved.at;
  }

  /** @param {RTCPeerConnection} peer @returns {Promise<Stats>} */
  async read(peer) {
    const report = /** @type {Map<string, any>} */ (/** @type {unknown} */ (await peer.getStats()));
    const all = [...report.values()];
    const video = this.#flow('video', all, report);
    const audio = this.#flow('audio', all, report);
    const transport = all.find(({ type }) => type === 'transport');
    const pair = report.get(transport?.selectedCandidatePairId) ?? all.find(({ type, nominated }) => type === 'candidate-pair' && nominated);
    const far = all.filter(({ type }) => type === 'remote-inbound-rtp');
    const jitters = all.filter(({ type, jitter }) => /inbound-rtp$/.test(type) && jitter != null).map(({ jitter }) => jitter * 1000);
    const rtt = pair?.currentRoundTripTime ?? far.find(({ roundTripTime }) => roundTripTime != null)?.roundTripTime;
    const first = this.#before.size === 0;
    this.#before = new Map(report);
    const [bitrates, losses] = [[video?.bitrate, audio?.bitrate], [video?.lossPercent, audio?.lossPercent]].map((list) => list.filter((value) => value != null));
    /** @type {Stats} */
    const stats = {
      at: Date.now(),
      video,
      audio,
      bitrate: bitrates.length ? bitrates.reduce((sum, value) => sum + value, 0) : null,
      lossPercent: losses.length ? Math.max(...losses) : null,
      rttMs: rtt == null ? null : rtt * 1000,
      jitterMs: jitters.length ? Math.max(...jitters) : null,
      availableBitrate: (far.length && pair?.availableOutgoingBitrate) || null,
      transport: (report.get(pair?.localCandidateId)?.protocol ?? '').toUpperCase(),
    };
    const packets = (video?.packets ?? 0) + (audio?.packets ?? 0);
    if (packets !== this.#moved.packets) this.#moved = { packets, at: stats.at };
    const freezes = video?.freezes ?? 0;
    this.quality = quality(stats, first ? 0 : freezes - this.#freezes);
    this.#freezes = freezes;
    return stats;
  }

  /**
   * One kind of media; the layers of a simulcast count together, and the largest one gives the size.
   * @param {string} kind
   * @param {any[]} all
   * @param {Map<string, any>} report
   * @returns {Flow|null}
   */
  #flow(kind, all, report) {
    const rtp = all.filter((entry) => (entry.type === 'inbound-rtp' || entry.type === 'outbound-rtp') && entry.kind === kind);
    if (rtp.length === 0) return null;
    const main = rtp.reduce((best, entry) => ((entry.frameWidth ?? 0) > (best.frameWidth ?? 0) ? entry : best));
    const sends = main.type === 'outbound-rtp';
    const rates = rtp.map((entry) => this.#rate(entry, sends ? 'bytesSent' : 'bytesReceived')).filter((rate) => rate !== null);
    const fps = this.#rate(main, sends ? 'framesEncoded' : 'framesDecoded');
    return {
      codec: report.get(main.codecId)?.mimeType?.split('/')[1] ?? '',
      bitrate: rates.length ? rates.reduce((sum, rate) => sum + rate, 0) * 8 : null,
      packets: rtp.reduce((sum, entry) => sum + ((sends ? entry.packetsSent : entry.packetsReceived) ?? 0), 0),
      lossPercent: sends ? farLoss(main, report) : this.#loss(main),
      fps: fps === null ? null : Math.round(fps),
      width: main.frameWidth ?? 0,
      height: main.frameHeight ?? 0,
      frames: (sends ? main.framesEncoded : main.framesDecoded) ?? 0,
      freezes: main.freezeCount ?? 0,
      limitedBy: ['bandwidth', 'cpu'].includes(main.qualityLimitationReason) ? main.qualityLimitationReason : '',
    };
  }

  /** @param {any} now @param {string} key */
  #change(now, key) {
    const before = this.#before.get(now.id);
    return before && key in before && key in now ? now[key] - before[key] : null;
  }

  /** @param {any} now @param {string} key */
  #rate(now, key) {
    const [change, time] = [this.#change(now, key), this.#change(now, 'timestamp')];
    return change === null || !time || time <= 0 ? null : Math.max(0, change) / (time / 1000);
  }

  /** @param {any} now */
  #loss(now) {
    const [lost, received] = [this.#change(now, 'packetsLost'), this.#change(now, 'packetsReceived')];
    const sent = (lost ?? 0) + (received ?? 0);
    return lost === null || sent <= 0 ? null : Math.max(0, (lost / sent) * 100);
  }
}

/**
 * What the server reports to be missing.
 * @param {any} sent
 * @param {Map<string, any>} report
 */
function farLoss(sent, report) {
  const fraction = report.get(sent.remoteId)?.fractionLost;
  return fraction == null ? null : fraction * 100;
}

/**
 * How good a connection is, 0 (none) to 4 (excellent), and what holds it down.
 *
 * The bounds are those at which people begin to notice: 1, 3 and 8 % of packets lost, 150, 300 and 600 ms of round trip.
 * @param {Stats|null} stats
 * @param {number} [freezes]  since the reading before
 * @returns {Quality}
 */
export function quality(stats, freezes = 0) {
  const grade = (/** @type {number|null|undefined} */ value, /** @type {number[]} */ bounds) => 4 - bounds.filter((bound) => (value ?? 0) > bound).length;
  if (!stats || (stats.bitrate === 0 && stats.rttMs === null)) return { level: 0, word: LEVELS[0], reason: 'There is no connection.' };
  /** @type {[number, string][]} */
  const marks = [
    [grade(stats.lossPercent, [1, 3, 8]), 'Packets are lost on the way.'],
    [grade(stats.rttMs, [150, 300, 600]), 'The way to the server is long or crowded.'],
    [isNarrow(stats) ? 2 : 4, 'The upload is too narrow for the picture.'],
    [stats.video?.limitedBy === 'cpu' ? 3 : 4, 'This device is too busy for the picture.'],
    [freezes > 0 ? 2 : 4, 'The picture froze.'],
    [stats.bitrate === 0 ? 1 : 4, 'Nothing arrives just now.'],
  ];
  const [level, reason] = marks.reduce((worst, mark) => (mark[0] < worst[0] ? mark : worst));
  return { level: /** @type {Quality['level']} */ (level), word: LEVELS[level], reason: level === 4 ? '' : reason };
}

/**
 * An encoder that has just begun says that bandwidth limits it while it is still finding out how much there is.
 * @param {Stats} stats
 */
const isNarrow = ({ video, bitrate, availableBitrate }) => video?.limitedBy === 'bandwidth' && (availableBitrate ?? 0) < 1.5 * (bitrate ?? 0);
