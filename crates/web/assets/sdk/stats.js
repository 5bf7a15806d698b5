/**
 * What the browser measures of a session, once a second, as plain numbers.
 *
 * `*Ms` are milliseconds, bitrates bit/s. Rates and averages are over the last interval, counts since the start.
 * A value the browser does not give is null.
 *
 * @typedef {object} VideoStats
 * @property {string} codec
 * @property {string} decoder
 * @property {number} width
 * @property {number} height
 * @property {number|null} fps
 * @property {number|null} bitrate
 * @property {number} packetsReceived
 * @property {number} packetsLost
 * @property {number|null} lossPercent     of the last interval
 * @property {number} nacks
 * @property {number} plis
 * @property {number|null} jitterMs
 * @property {number|null} jitterBufferMs
 * @property {number|null} decodeMs
 * @property {number|null} processingMs    from a frame's first packet to its picture
 * @property {number} framesReceived
 * @property {number} framesDecoded
 * @property {number} keyFramesDecoded
 * @property {number} framesDropped
 * @property {number} freezes
 * @property {number} frozenMs
 *
 * @typedef {object} AudioStats
 * @property {string} codec
 * @property {number|null} bitrate
 * @property {number} packetsReceived
 * @property {number} packetsLost
 * @property {number|null} lossPercent
 * @property {number|null} jitterMs
 * @property {number|null} jitterBufferMs
 * @property {number|null} concealedPercent  of the samples played
 * @property {number|null} level             0 to 1
 *
 * @typedef {object} ConnectionStats
 * @property {string} transport      `UDP` or `TCP`
 * @property {string} remote         address and port of the server
 * @property {number|null} rttMs
 * @property {string} security       DTLS version and SRTP cipher
 *
 * @typedef {object} SessionStats
 * @property {number} at             ms since 1970
 * @property {VideoStats|null} video
 * @property {AudioStats|null} audio
 * @property {ConnectionStats|null} connection
 * @property {number|null} estimatedLatencyMs  buffering, decoding and half a round trip
 */

/** Reads a connection's statistics; keeps the last reading to make rates of counts. */
export class StatsReader {
  /** @type {Map<string, any>} */
  #before = new Map();

  /**
   * @param {RTCPeerConnection} peer
   * @returns {Promise<SessionStats>}
   */
  async read(peer) {
    const report = /** @type {Map<string, any>} */ (/** @type {unknown} */ (await peer.getStats()));
    const inbound = [...report.values()].filter((entry) => entry.type === 'inbound-rtp');
    const video = this.#video(inbound.find((entry) => entry.kind === 'video'), report);
    const audio = this.#audio(inbound.find((entry) => entry.kind === 'audio'), report);
    const connection = readConnection(report);
    this.#before = new Map(report);
    return { at: Date.now(), video, audio, connection, estimatedLatencyMs: estimate(video, audio, connection) };
  }

  /**
   * @param {any} now
   * @param {Map<string, any>} report
   * @returns {VideoStats|null}
   */
  #video(now, report) {
    if (!now) return null;
    return {
      ...this.#flow(now, report),
      decoder: now.decoderImplementation ?? '',
      width: now.frameWidth ?? 0,
      height: now.frameHeight ?? 0,
      fps: this.#rate(now, 'framesDecoded'),
      nacks: now.nackCount ?? 0,
      plis: now.pliCount ?? 0,
      decodeMs: milli(this.#average(now, 'totalDecodeTime', 'framesDecoded')),
      processingMs: milli(this.#average(now, 'totalProcessingDelay', 'framesDecoded')),
      framesReceived: now.framesReceived ?? 0,
      framesDecoded: now.framesDecoded ?? 0,
      keyFramesDecoded: now.keyFramesDecoded ?? 0,
      framesDropped: now.framesDropped ?? 0,
      freezes: now.freezeCount ?? 0,
      frozenMs: (now.totalFreezesDuration ?? 0) * 1000,
    };
  }

  /**
   * @param {any} now
   * @param {Map<string, any>} report
   * @returns {AudioStats|null}
   */
  #audio(now, report) {
    if (!now) return null;
    const concealed = this.#average(now, 'concealedSamples', 'totalSamplesReceived');
    return {
      ...this.#flow(now, report),
      concealedPercent: concealed === null ? null : concealed * 100,
      level: now.audioLevel ?? null,
    };
  }

  /**
   * What sound and picture have in common.
   * @param {any} now
   * @param {Map<string, any>} report
   */
  #flow(now, report) {
    const bytes = this.#rate(now, 'bytesReceived');
    const [lost, received] = [this.#change(now, 'packetsLost'), this.#change(now, 'packetsReceived')];
    const sent = (lost ?? 0) + (received ?? 0);
    return {
      codec: codecText(report.get(now.codecId)),
      bitrate: bytes === null ? null : bytes * 8,
      packetsReceived: now.packetsReceived ?? 0,
      packetsLost: now.packetsLost ?? 0,
      lossPercent: lost === null || sent <= 0 ? null : Math.max(0, (lost / sent) * 100),
      jitterMs: milli(now.jitter ?? null),
      jitterBufferMs: milli(this.#average(now, 'jitterBufferDelay', 'jitterBufferEmittedCount')),
    };
  }

  /**
   * @param {any} now
   * @param {string} key
   * @returns {number|null}
   */
  #change(now, key) {
    const before = this.#before.get(now.id);
    return before && key in before && key in now ? now[key] - before[key] : null;
  }

  /**
   * @param {any} now
   * @param {string} key
   */
  #rate(now, key) {
    const [change, time] = [this.#change(now, key), this.#change(now, 'timestamp')];
    return change === null || !time || time <= 0 ? null : Math.max(0, change) / (time / 1000);
  }

  /**
   * @param {any} now
   * @param {string} sum
   * @param {string} count
   */
  #average(now, sum, count) {
    const [total, items] = [this.#change(now, sum), this.#change(now, count)];
    return total === null || !items || items <= 0 ? null : total / items;
  }
}

/** @param {number|null} seconds */
const milli = (seconds) => (seconds === null ? null : seconds * 1000);

/** @param {any} codec */
function codecText(codec) {
  if (!codec?.mimeType) return '';
  const channels = codec.channels ? `/${codec.channels}` : '';
  return `${codec.mimeType.split('/')[1]}/${codec.clockRate}${channels}`;
}

/**
 * @param {Map<string, any>} report
 * @returns {ConnectionStats|null}
 */
function readConnection(report) {
  const all = [...report.values()];
  const transport = all.find((entry) => entry.type === 'transport');
  const pair =
    report.get(transport?.selectedCandidatePairId) ??
    all.find((entry) => entry.type === 'candidate-pair' && entry.nominated && entry.state === 'succeeded');
  if (!pair) return null;
  const remote = report.get(pair.remoteCandidateId);
  const host = remote?.address?.includes(':') ? `[${remote.address}]` : remote?.address;
  const rtt = pair.currentRoundTripTime ?? null;
  return {
    transport: (remote?.protocol ?? '').toUpperCase(),
    remote: host ? `${host}:${remote.port}` : '',
    rttMs: milli(rtt),
    security: [dtlsVersion(transport?.tlsVersion), cipherName(transport?.srtpCipher)].filter(Boolean).join(', '),
  };
}

/**
 * The version as it stands on the wire. Source: RFC 6347 §4.1, RFC 9147 §5.3.
 * @param {string|undefined} wire
 */
function dtlsVersion(wire) {
  return { FEFD: 'DTLS 1.2', FEFC: 'DTLS 1.3' }[wire?.toUpperCase() ?? ''] ?? '';
}

/**
 * `AES-128-GCM` from `AEAD_AES_128_GCM`, `AES-128-CM` from `SRTP_AES128_CM_HMAC_SHA1_80`.
 * @param {string|undefined} profile
 */
function cipherName(profile) {
  const [, bits, mode] = profile?.match(/AES_?(128|256)_(GCM|CM)/) ?? [];
  return bits ? `AES-${bits}-${mode}` : (profile ?? '');
}

/**
 * From the server to the screen, without what the server and the encoder took.
 * @param {VideoStats|null} video
 * @param {AudioStats|null} audio
 * @param {ConnectionStats|null} connection
 */
function estimate(video, audio, connection) {
  const inBrowser = video?.processingMs ?? video?.jitterBufferMs ?? audio?.jitterBufferMs ?? null;
  return inBrowser === null ? null : inBrowser + (connection?.rttMs ?? 0) / 2;
}
