/**
 * Playlists of HLS as a player of live streams needs them. Pure functions of text.
 *
 * Source: RFC 8216; rfc8216bis for parts and blocking reloads.
 */

/**
 * One thing to fetch: a segment, or a part of one.
 * @typedef {object} Piece
 * @property {string} uri       absolute
 * @property {number} sequence  of its segment
 * @property {number} part      its place in the segment; -1 for a whole one
 * @property {number} date      when it was taken, by the wall clock in milliseconds
 * @property {number} duration  seconds
 * @property {string} map       address of its init segment
 * @property {number} epoch     how many discontinuities lie before it, since the stream began
 * @property {boolean} starts   whether a decoder can start here
 */

/**
 * @typedef {object} MediaPlaylist
 * @property {Piece[]} pieces
 * @property {number} first       sequence of the first segment
 * @property {number} target      the longest segment in seconds
 * @property {number} hold        how far behind the live edge a player keeps, in seconds
 * @property {boolean} blocks     whether the server holds a request until the next piece is there
 * @property {{sequence: number, part: number}} next  what comes after the last piece
 * @property {boolean} isOver     there will be no more
 */

/** The attributes of a tag. @param {string} text */
function attributes(text) {
  const found = text.matchAll(/([A-Z0-9-]+)=("[^"]*"|[^,]*)/g);
  return Object.fromEntries([...found].map(([, name, value]) => [name, value.replace(/^"|"$/g, '')]));
}

/**
 * One way to play a stream.
 * @typedef {object} Level
 * @property {string} uri        absolute
 * @property {string} label      the name of its rendition
 * @property {string[]} codecs   of all that goes with it, the sound apart included
 * @property {number} bandwidth  bits in a second
 * @property {number} width      pixels; 0 if it is not known
 * @property {number} height
 * @property {number} [shunned]  when it could not be had
 */

/** The levels of a multivariant playlist, the best first, none if it is a media playlist; and the address of sound that is apart. @param {string} text @param {string} base */
export function multivariant(text, base) {
  const lines = text.split(/\r?\n/);
  const levels = lines.flatMap((line, index) => {
    if (!line.startsWith('#EXT-X-STREAM-INF:')) return [];
    const found = attributes(line);
    const uri = lines.slice(index + 1).find((next) => next && !next.startsWith('#'));
    if (!uri) return [];
    const [width, height] = (found.RESOLUTION ?? '0x0').split('x').map(Number);
    const label = /_video\.([^./?]+)/.exec(uri)?.[1] ?? (height ? `${height}p` : '');
    /** @type {Level} */
    const level = { uri: new URL(uri, base).href, label, codecs: (found.CODECS ?? 'avc1.42e01f,mp4a.40.2').split(','), bandwidth: Number(found.BANDWIDTH) || 0, width, height };
    return [level];
  });
  const sound = lines.filter((line) => line.startsWith('#EXT-X-MEDIA:')).map(attributes).find((found) => found.TYPE === 'AUDIO' && found.URI);
  return { levels: levels.sort((one, other) => other.bandwidth - one.bandwidth), audio: sound ? new URL(sound.URI, base).href : null };
}

/** @param {string} text @param {string} base @returns {MediaPlaylist} */
export function parse(text, base) {
  const playlist = { pieces: /** @type {Piece[]} */ ([]), first: 0, target: 6, hold: 0, blocks: false, next: { sequence: 0, part: 0 }, isOver: false };
  const href = (/** @type {string} */ uri) => new URL(uri, base).href;
  let [sequence, date, duration, map, epoch] = [0, 0, 0, '', 0];
  /** Parts of the segment that is not named yet. @type {Piece[]} */
  let parts = [];
  for (const line of text.split(/\r?\n/)) {
    const [tag, rest] = [line.split(':', 1)[0], line.slice(line.indexOf(':') + 1)];
    const found = tag.startsWith('#EXT-X-') ? attributes(rest) : {};
    if (tag === '#EXT-X-TARGETDURATION') playlist.target = Number(rest) || playlist.target;
    else if (tag === '#EXT-X-MEDIA-SEQUENCE') playlist.first = sequence = Number(rest) || 0;
    else if (tag === '#EXT-X-DISCONTINUITY-SEQUENCE') epoch = Number(rest) || 0;
    else if (tag === '#EXT-X-SKIP') sequence += Number(found['SKIPPED-SEGMENTS']) || 0;
    else if (tag === '#EXT-X-DISCONTINUITY') epoch += 1;
    else if (tag === '#EXT-X-PROGRAM-DATE-TIME') date = Date.parse(rest) || date;
    else if (tag === '#EXT-X-ENDLIST') playlist.isOver = true;
    else if (tag === '#EXT-X-MAP') map = href(found.URI ?? '');
    else if (tag === '#EXTINF') duration = parseFloat(rest) || 0;
    else if (tag === '#EXT-X-SERVER-CONTROL') {
      playlist.blocks = found['CAN-BLOCK-RELOAD'] === 'YES';
      playlist.hold = Number(found['PART-HOLD-BACK']) || Number(found['HOLD-BACK']) || 0;
    } else if (tag === '#EXT-X-PART' && found.URI) {
      const before = parts.reduce((sum, part) => sum + part.duration, 0);
      parts.push({ uri: href(found.URI), sequence, part: parts.length, date: date + before * 1000, duration: Number(found.DURATION) || 0, map, epoch, starts: found.INDEPENDENT === 'YES' });
    } else if (line && !line.startsWith('#')) {
      // Where a segment comes in parts, they are what is fetched: they were there sooner.
      if (parts.length) playlist.pieces.push(...parts);
      else playlist.pieces.push({ uri: href(line), sequence, part: -1, date, duration, map, epoch, starts: true });
      date += duration * 1000;
      sequence += 1;
      parts = [];
    }
  }
  playlist.pieces.push(...parts);
  playlist.next = { sequence, part: parts.length };
  playlist.hold ||= 3 * playlist.target;
  return playlist;
}

/** The address that is answered when the next piece is there. @param {string} uri @param {MediaPlaylist|null} playlist */
export function reload(uri, playlist) {
  const address = new URL(uri);
  if (!playlist?.blocks) return address;
  address.searchParams.set('_HLS_msn', String(playlist.next.sequence));
  if (playlist.pieces.some(({ part }) => part >= 0)) address.searchParams.set('_HLS_part', String(playlist.next.part));
  return address;
}
