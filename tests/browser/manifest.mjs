// Reads a live description of DASH again and again by mpd-parser, as a player does, and tells what breaks a rule: of one,
// and of one after the other. Fetches each segment that is listed, once.
// Arguments: its address, and for how many seconds.
import { createRequire } from "node:module";
import { join } from "node:path";

const load = createRequire(join(process.env.HEADWATER_TEST_TOOLS, "node", "package.json"));
const { parse } = load("mpd-parser");
const [address, seconds] = process.argv.slice(2);
const complaints = new Set();
const complain = (text) => complaints.add(text);
const eventHandler = ({ type, message }) => complain(`${type}: ${message}`);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const attribute = (text, name) => text.match(new RegExp(` ${name}="([^"]*)"`))?.[1];

const known = new Map(), periods = new Map(), fetched = new Set();
let manifests = 0, bytes = 0, newest = -1, anchor = null, codecs = [], clock = null;

async function media(uri) {
  if (fetched.has(uri)) return;
  fetched.add(uri);
  const answer = await fetch(uri);
  if (!answer.ok) complain(`${answer.status} for ${uri}`);
  bytes += (await answer.arrayBuffer()).byteLength;
}

function playlists(manifest) {
  const sounds = Object.values(manifest.mediaGroups.AUDIO ?? {}).flatMap((group) => Object.values(group));
  const of = (kind, list) => (list ?? []).map((playlist) => [kind, playlist]);
  return [...of("video", manifest.playlists), ...sounds.flatMap((sound) => of("audio", sound.playlists))];
}

async function check(text) {
  const manifest = parse(text, { manifestUri: address, eventHandler });
  manifests++;
  anchor ??= attribute(text, "availabilityStartTime");
  if (attribute(text, "availabilityStartTime") !== anchor) complain("availabilityStartTime changed");
  for (const [, id, start] of text.matchAll(/<Period id="(\d+)" start="PT([\d.]+)S"/g)) {
    if (periods.has(id) && periods.get(id) !== start) complain(`period ${id} began at ${periods.get(id)} and at ${start}`);
    if (!periods.has(id) && Number(start) <= newest) complain(`period ${id} begins at ${start}, before another one`);
    periods.set(id, start);
    newest = Math.max(newest, Number(start));
  }
  codecs = [...text.matchAll(/codecs="([^"]*)"/g)].map(([, codec]) => codec);
  for (const [kind, playlist] of playlists(manifest)) {
    for (const [index, segment] of playlist.segments.entries()) {
      const before = playlist.segments[index - 1];
      if (before === undefined || before.timeline !== segment.timeline) continue;
      const gap = segment.presentationTime - before.presentationTime - before.duration;
      if (Math.abs(gap) > 0.001) complain(`${segment.uri} begins ${gap} s after the end of the one before it`);
    }
    if (kind === "video" && playlist.attributes.RESOLUTION === undefined) complain("no resolution");
    for (const segment of playlist.segments) {
      const told = JSON.stringify([segment.presentationTime, segment.duration]);
      if (known.has(segment.resolvedUri) && known.get(segment.resolvedUri) !== told) complain(`${segment.uri} was ${known.get(segment.resolvedUri)} and is ${told}`);
      known.set(segment.resolvedUri, told);
      await media(segment.map.resolvedUri);
      await media(segment.resolvedUri);
    }
  }
  const value = text.match(/<UTCTiming [^>]*value="([^"]*)"/)?.[1];
  const time = await (await fetch(new URL(value, address))).text();
  clock = Math.abs(Date.parse(time) - Date.now());
}

const end = Date.now() + seconds * 1000;
while (Date.now() < end) {
  const answer = await fetch(address);
  const text = await answer.text();
  if (answer.ok) await check(text).catch((error) => complain(`${error} in ${text}`));
  else complain(`${answer.status}: ${text}`);
  await pause(1000);
}
process.stdout.write(JSON.stringify({ manifests, segments: known.size, periods: periods.size, bytes, codecs, clock, complaints: [...complaints] }));
