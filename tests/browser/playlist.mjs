// Reads a live media playlist again and again by hls-parser, as a player does: it waits for the next part where the
// server holds requests for one, and else asks once a second. Tells what breaks a rule: of one playlist, and of one after
// the other. Keeps what it reads in a folder: each segment behind those before it, in one file from one discontinuity to
// the next (`media-N.mp4` or `.ts`); the last of them once more (`tail.mp4`); and a playlist a second (`N.m3u8`).
// Arguments: its address, for how many seconds (0: until its input ends), and the folder.
import { appendFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const load = createRequire(join(process.env.HEADWATER_TEST_TOOLS, "node", "package.json"));
const parser = load("hls-parser");
const [address, seconds, folder] = process.argv.slice(2);
const ending = address.includes("container=ts") ? "ts" : "mp4";
const TAIL = 8; // segments
const complaints = [];
const complain = (text) => complaints.push(text);
console.error = console.warn = complain;
parser.setOptions({ strictMode: true });
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

const known = new Map();
let last = null, playlists = 0, discontinuities = 0, firstTime = null, lastEnd = null;
let fetched = 0, bytes = 0, kept = 0, file = null, init = null, tail = [];

async function media(uri) {
  const answer = await fetch(new URL(uri, address));
  if (!answer.ok) complain(`${answer.status} for ${uri}`);
  return Buffer.from(await answer.arrayBuffer());
}

async function keep(segment, discontinuity) {
  const name = join(folder, `media-${discontinuity}.${ending}`);
  const map = segment.map?.uri;
  if (name !== file || map !== init?.uri) {
    if (name === file) complain("another initialization section without a discontinuity");
    [file, tail] = [name, []];
    init = map ? { uri: map, data: await media(map) } : null;
    if (init) appendFileSync(file, init.data);
  }
  const data = await media(segment.uri);
  appendFileSync(file, data);
  tail = [...tail, data].slice(-TAIL);
  fetched++;
  bytes += data.length;
}

function check(playlist) {
  const base = playlist.mediaSequenceBase, fresh = [];
  let sequence = base, discontinuity = playlist.discontinuitySequenceBase ?? 0;
  if (last && (base < last.base || discontinuity < last.discontinuity)) complain("a number ran backwards");
  if (last && playlist.targetDuration < last.target) complain("the target duration fell");
  for (const segment of playlist.segments) {
    if (segment.discontinuity) discontinuity++;
    if (segment.uri) {
      if (Math.round(segment.duration) > playlist.targetDuration) complain(`${segment.duration} s is beyond the target`);
      const told = JSON.stringify([segment.uri, segment.duration, discontinuity]);
      if (known.has(sequence) && known.get(sequence) !== told) complain(`${sequence} was ${known.get(sequence)} and is ${told}`);
      if (!known.has(sequence)) fresh.push([segment, discontinuity]);
      known.set(sequence, told);
    }
    for (const part of segment.parts ?? []) if (!part.hint && part.duration > playlist.partTargetDuration) complain("a part is too long");
    sequence++;
  }
  discontinuities = Math.max(discontinuities, discontinuity);
  last = { base, discontinuity: playlist.discontinuitySequenceBase ?? 0, target: playlist.targetDuration };
  return fresh;
}

let end = seconds === "0" ? Infinity : Date.now() + seconds * 1000;
if (end === Infinity) process.stdin.on("end", () => { end = 0; }).resume();
let next = null;
while (Date.now() < end) {
  const answer = await fetch(address + (next ? `&_HLS_msn=${next[1]}&_HLS_part=${next[2]}` : ""));
  const text = await answer.text();
  if (!answer.ok) {
    complain(`${answer.status}: ${text}`);
    await pause(500);
    continue;
  }
  let fresh = [];
  try {
    const playlist = parser.parse(text);
    playlists++;
    fresh = check(playlist);
  } catch (error) {
    complain(`${error} in ${text}`);
  }
  for (const [segment, discontinuity] of fresh) {
    await keep(segment, discontinuity);
    firstTime ??= +segment.programDateTime;
    lastEnd = +segment.programDateTime + segment.duration * 1000;
  }
  if (kept < Date.now() - 1000) {
    kept = Date.now();
    writeFileSync(join(folder, `${playlists}.m3u8`), text);
  }
  next = /PRELOAD-HINT.*-(\d+)\.(\d+)-/.exec(text);
  if (!next) await pause(1000);
}
writeFileSync(join(folder, `tail.${ending}`), Buffer.concat([...(init ? [init.data] : []), ...tail]));
const numbers = [...known.keys()].sort((a, b) => a - b);
const missing = numbers.some((number, index) => index > 0 && number !== numbers[index - 1] + 1);
process.stdout.write(
  JSON.stringify({
    playlists, segments: numbers.length, fetched, bytes, missing, discontinuities,
    seconds: (lastEnd - firstTime) / 1000, complaints: [...new Set(complaints)],
  }),
);
