/**
 * What an init segment of fragmented MP4 says of its codecs, as browsers want to be told. Pure functions of bytes.
 *
 * Source: ISO/IEC 14496-12 §8.5.2, ISO/IEC 14496-15 annex E, the bindings of AV1 and VP9 to ISOBMFF; RFC 6381 §3.3.
 */

const NESTED = ['moov', 'trak', 'mdia', 'minf', 'stbl'];
/** What stands in a sample entry ahead of its boxes, in bytes. */
const PICTURE_BYTES = 78;

/** The boxes of a stretch: type and contents. @param {DataView} view @returns {Generator<{type: string, body: DataView}>} */
function* boxes(view, from = 0) {
  for (let at = from; at + 8 <= view.byteLength; ) {
    const size = view.getUint32(at);
    if (size < 8 || at + size > view.byteLength) return;
    const type = String.fromCharCode(...[4, 5, 6, 7].map((place) => view.getUint8(at + place)));
    yield { type, body: new DataView(view.buffer, view.byteOffset + at + 8, size - 8) };
    at += size;
  }
}

/** The sample entries of all tracks. @param {DataView} view @returns {{type: string, body: DataView}[]} */
function entries(view) {
  return [...boxes(view)].flatMap(({ type, body }) => {
    if (NESTED.includes(type)) return entries(body);
    return type === 'stsd' ? [...boxes(body, 8)] : [];
  });
}

const hex = (/** @type {number} */ byte) => byte.toString(16).padStart(2, '0');
const two = (/** @type {number} */ number) => String(number).padStart(2, '0');

/** The rest of the name of each codec of a picture, by the box that configures its decoder. @type {Record<string, (record: DataView) => string>} */
const RECORDS = {
  avcC: (record) => [1, 2, 3].map((at) => hex(record.getUint8(at))).join(''),
  hvcC(record) {
    const [first, level] = [record.getUint8(1), record.getUint8(12)];
    // The flags of compatibility are told with the first of them last.
    const flags = parseInt([...record.getUint32(2).toString(2).padStart(32, '0')].reverse().join(''), 2);
    const rest = [6, 7, 8, 9, 10, 11].map((at) => record.getUint8(at));
    while (rest.length && rest[rest.length - 1] === 0) rest.pop();
    const profile = `${['', 'A', 'B', 'C'][first >> 6]}${first & 31}`;
    return [profile, flags.toString(16), `${first & 32 ? 'H' : 'L'}${level}`, ...rest.map((byte) => byte.toString(16).toUpperCase())].join('.');
  },
  av1C(record) {
    const [first, second] = [record.getUint8(1), record.getUint8(2)];
    const depth = second & 64 ? (second & 32 ? 12 : 10) : 8;
    return `${first >> 5}.${two(first & 31)}${second & 128 ? 'H' : 'M'}.${two(depth)}`;
  },
  vpcC: (record) => [record.getUint8(4), record.getUint8(5), record.getUint8(6) >> 4].map(two).join('.'),
};
/** @type {Record<string, string>} */
const SOUNDS = { mp4a: 'mp4a.40.2', Opus: 'opus', fLaC: 'flac', 'ac-3': 'ac-3', 'ec-3': 'ec-3' };

/** The codecs of all tracks in their order; those that are not known by the type of their sample entry alone. @param {Uint8Array} data */
export function codecsOf(data) {
  return entries(new DataView(data.buffer, data.byteOffset, data.byteLength)).map(({ type, body }) => {
    if (SOUNDS[type]) return SOUNDS[type];
    const found = body.byteLength > PICTURE_BYTES ? [...boxes(body, PICTURE_BYTES)].find((box) => RECORDS[box.type]) : null;
    try {
      return found ? `${type}.${RECORDS[found.type](found.body)}` : type;
    } catch {
      return type;
    }
  });
}

/** Whether a codec is one of sound. @param {string} codec */
export const isSound = (codec) => /^(mp4a|opus|ac-3|ec-3|flac)/i.test(codec);
