// Reads a live media playlist again and again by hls-parser, and tells what breaks a rule: of one playlist, and of one
// after the other. Arguments: its address, and for how many seconds.
import { createRequire } from "node:module";
import { join } from "node:path";

const load = createRequire(join(process.env.HEADWATER_TEST_TOOLS, "node", "package.json"));
const parser = load("hls-parser");
const [address, seconds] = process.argv.slice(2);
const complaints = [];
const complain = (text) => complaints.push(text);
console.error = console.warn = complain;
parser.setOptions({ strictMode: true });

const known = new Map();
let last = null, playlists = 0, discontinuities = 0;
const end = Date.now() + seconds * 1000;
while (Date.now() < end) {
  const next = last ? `&_HLS_msn=${last.sequence}&_HLS_part=${last.part}` : "";
  const answer = await fetch(address + next);
  if (!answer.ok) {
    complain(`${answer.status}: ${await answer.text()}`);
    await new Promise((done) => setTimeout(done, 500));
    continue;
  }
  const text = await answer.text();
  let playlist;
  try {
    playlist = parser.parse(text);
  } catch (error) {
    complain(`${error} in ${text}`);
    continue;
  }
  playlists++;
  let sequence = playlist.mediaSequenceBase, discontinuity = playlist.discontinuitySequenceBase ?? 0;
  if (last && (sequence < last.base || discontinuity < last.discontinuity)) complain("a number ran backwards");
  for (const segment of playlist.segments) {
    if (segment.discontinuity) discontinuity++;
    if (segment.uri) {
      if (Math.round(segment.duration) > playlist.targetDuration) complain(`${segment.duration} s is beyond the target`);
      const told = JSON.stringify([segment.uri, segment.duration, discontinuity]);
      if (known.has(sequence) && known.get(sequence) !== told) complain(`${sequence} was ${known.get(sequence)} and is ${told}`);
      known.set(sequence, told);
    }
    for (const part of segment.parts ?? []) if (!part.hint && part.duration > playlist.partTargetDuration) complain("a part is too long");
    sequence++;
  }
  discontinuities = Math.max(discontinuities, discontinuity);
  const hint = /PRELOAD-HINT.*-(\d+)\.(\d+)-/.exec(text);
  last = hint && { sequence: hint[1], part: hint[2], base: playlist.mediaSequenceBase, discontinuity: playlist.discontinuitySequenceBase ?? 0 };
}
const numbers = [...known.keys()].sort((a, b) => a - b);
const missing = numbers.some((number, index) => index > 0 && number !== numbers[index - 1] + 1);
process.stdout.write(JSON.stringify({ playlists, segments: numbers.length, missing, discontinuities, complaints: [...new Set(complaints)] }));
