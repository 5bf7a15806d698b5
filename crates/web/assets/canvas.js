/**
 * Publishes a canvas: whatever a page can draw is a live stream.
 */
import { playerAddress } from './api.js';
import { byId, setText } from './dom.js';
import { createSession } from './sdk/headwater.js';
import { follow, nameField } from './studio.js';

const TRAIL_POINTS_MAX = 60;

const field = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (byId(id));
const canvas = /** @type {HTMLCanvasElement} */ (byId('canvas'));
const brush = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { alpha: false }));
const session = createSession();
/** @type {import('./sdk/headwater.d.ts').Stream|null} */
let stream = null;

async function publish() {
  stream = session.createStream({ name: field('name').value.trim(), source: canvas, audio: field('microphone').checked });
  follow(stream, byId('publisher'));
  stream.addEventListener('state', show);
  await stream.publish().catch(() => {}); // the card tells it
}

function show() {
  const running = Boolean(stream?.running);
  setText(byId('publish'), running ? 'Stop' : 'Publish');
  byId('publish').classList.toggle('stop', running);
  for (const id of ['name', 'microphone']) field(id).disabled = running;
}

/** The pointer's last places; without a pointer the line draws itself. @type {{x: number, y: number}[]} */
const trail = [];
let touched = -Infinity;

canvas.addEventListener('pointermove', (event) => {
  touched = performance.now();
  leave(event.offsetX * (canvas.width / canvas.clientWidth), event.offsetY * (canvas.height / canvas.clientHeight));
});

/**
 * @param {number} x
 * @param {number} y
 */
function leave(x, y) {
  trail.push({ x, y });
  if (trail.length > TRAIL_POINTS_MAX) trail.shift();
}

/** @param {number} now */
function draw(now) {
  const { width, height } = canvas;
  if (now - touched > 3000) {
    const turn = now / 900;
    leave(width * (0.5 + 0.38 * Math.sin(turn)), height * (0.64 + 0.2 * Math.sin(turn * 2.1)));
  }
  brush.fillStyle = '#0b1c20';
  brush.fillRect(0, 0, width, height);
  drawClock();
  brush.textAlign = 'center';
  brush.fillStyle = '#e4eff0';
  brush.font = '600 64px system-ui, sans-serif';
  brush.fillText(new Date().toLocaleTimeString(), width / 2, 190);
  brush.fillStyle = '#91a7ab';
  brush.font = '36px system-ui, sans-serif';
  brush.fillText(field('words').value, width / 2, 260, width - 120);
  trail.forEach(({ x, y }, index) => {
    brush.fillStyle = `hsl(186 60% ${20 + (45 * index) / TRAIL_POINTS_MAX}%)`;
    brush.beginPath();
    brush.arc(x, y, 4 + (22 * index) / TRAIL_POINTS_MAX, 0, 2 * Math.PI);
    brush.fill();
  });
}

/** The time in black and white blocks at the top, from which the player page reads the true delay (see clock.js). */
function drawClock() {
  const now = Date.now() % 65536;
  const gray = now ^ (now >> 1);
  const bits = [1, 0, ...Array.from({ length: 16 }, (_, bit) => (gray >> (15 - bit)) & 1), 0, 1];
  const [across, down] = [canvas.width / bits.length, canvas.height / 18];
  bits.forEach((bit, index) => {
    brush.fillStyle = bit ? '#fff' : '#000';
    brush.fillRect(index * across, 0, across, down);
  });
}

function showAddress() {
  const address = new URL(playerAddress(field('name').value.trim()), location.href).href;
  setText(byId('watch'), address);
  byId('watch').setAttribute('href', address);
}

nameField(field('name'), 'canvas.name', 'my-canvas');
byId('form').addEventListener('submit', (event) => (event.preventDefault(), stream?.running ? stream.stop() : publish()));
field('name').addEventListener('input', showAddress);
// A timer and not the display's clock, which stands still in a tab that nobody looks at.
setInterval(() => draw(performance.now()), 1000 / 30);
showAddress();
show();
