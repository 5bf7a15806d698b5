// Janus with WHEP before it and ffmpeg that feeds it, to be measured by `bench against`.
//
//   apt install janus ffmpeg && npm install && node server.mjs ADDRESS
//
// ADDRESS is one of this machine that is not loopback: Janus offers none of that. Agents need `--allow ADDRESS`.
// Publish by RTMP at rtmp://127.0.0.1:12935/live/bench, play at http://127.0.0.1:12081/whep/endpoint/bench.
// The picture reaches Janus as it was published; the sound becomes Opus. The process to measure is printed.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { JanusWhepServer } from 'janus-whep-server';

const [address] = process.argv.slice(2);
if (!address) {
  console.error('usage: node server.mjs ADDRESS');
  process.exit(2);
}
const conf = fileURLToPath(new URL('conf', import.meta.url));
const quiet = { stdio: ['ignore', 'ignore', 'inherit'] };
const rtmp = 'rtmp://127.0.0.1:12935/live/bench';

const janus = spawn('janus', ['-F', conf, '-E', address, '-o'], quiet);
janus.on('error', fail);
janus.on('exit', (code) => fail(`janus has ended (${code})`));
let feed;
listen();

const app = express();
app.use(express.text({ type: 'application/sdp', limit: '64kb' }));
const whep = new JanusWhepServer({
  janus: { address: 'ws://127.0.0.1:12088' },
  rest: { app, basePath: '/whep' },
  debug: 'err',
});
await whep.start();
whep.createEndpoint({ id: 'bench', mountpoint: 1 });
app.listen(12081, '127.0.0.1', () => console.log(`--process ${janus.pid}`));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => fail());

// One publisher after the other, from RTMP to RTP.
function listen() {
  const video = ['-map', '0:v', '-c:v', 'copy', '-bsf:v', 'h264_mp4toannexb', '-payload_type', '96'];
  const audio = ['-map', '0:a', '-c:a', 'libopus', '-b:a', '96k', '-ar', '48000', '-ac', '2', '-payload_type', '112'];
  const rtp = (port) => ['-f', 'rtp', `rtp://127.0.0.1:${port}?pkt_size=1200`];
  const input = ['-loglevel', 'error', '-fflags', 'nobuffer', '-probesize', '200000', '-listen', '1', '-i', rtmp];
  feed = spawn('ffmpeg', [...input, ...video, ...rtp(12304), ...audio, ...rtp(12302)], quiet);
  feed.on('error', fail);
  feed.on('exit', () => setTimeout(listen, 500));
}

function fail(why) {
  if (why) console.error(why);
  feed?.removeAllListeners('exit').kill();
  janus.removeAllListeners('exit').kill();
  process.exit(why ? 1 : 0);
}
