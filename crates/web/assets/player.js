/**
 * The player page: puts a `Playback` on the screen and under the viewer's hands.
 *
 * For tests: `window.headwater` has `{page, name, way, why, tried, state, error, warning, stats, latency, latencyMs, muted, attempts,
 * sessions, stream}`, read at the moment of asking; `body[data-state]` follows the state, `body[data-muted]` is
 * `true` or `false`, `body[data-error]` is the code of the last error or absent; every change of state is a
 * `headwater:state` event of the window.
 */
import { nameFromAddress } from './api.js';
import { byId, element, recall, remember, setIcon, setPairs, setText } from './dom.js';
import * as format from './format.js';
import { notice } from './notice.js';
import { facts, showStatistics } from './panel.js';
import { Playback } from './playback.js';
import { Quality } from './quality.js';
import { NAMES, WAYS } from './sdk/player.js';

const HIDE_CONTROLS_MS = 2800;
const VOLUME_STEP = 0.05;
const SEEK_STEP_S = 10;
/** Behind the live edge by no more than this is live, in seconds; less to wind back than this is not offered. */
const LIVE_S = 8;
const WINDOW_MIN_S = 20;
/** How often what the API says is asked anew, while someone looks at it. */
const SOURCE_MS = 5000;

const name = nameFromAddress();
const video = /** @type {HTMLVideoElement} */ (byId('video'));
const stage = byId('stage');
const panel = byId('statistics');
const volume = /** @type {HTMLInputElement} */ (byId('volume'));
/** Which ways are tried, as the address says (`?by=wsplayer,hls`); the one that the viewer likes best goes first. */
const asked = new URLSearchParams(location.search).get('by');
const named = asked?.split(',').filter(isWay) ?? [];
const ways = named.length ? named : inOrder(recall('way') ?? '');
const playback = new Playback(video, name, ways);
const wayChoice = /** @type {HTMLSelectElement} */ (byId('way'));
const seekBar = /** @type {HTMLInputElement} */ (byId('seek'));
const select = /** @type {HTMLSelectElement} */ (byId('quality'));
const quality = new Quality(select, select, video, (chosen) => playback.renditions(chosen));
/** The session whose sizes are shown. */
let known = 0;
let soundBlocked = false;

Object.defineProperty(window, 'headwater', {
  value: {
    page: 'player',
    name,
    get way() {
      return playback.way;
    },
    get why() {
      return playback.why;
    },
    get tried() {
      return playback.tried;
    },
    get player() {
      return playback;
    },
    get state() {
      return playback.state;
    },
    get error() {
      const { error } = playback;
      return error && { kind: error.code, message: error.message, status: error.status };
    },
    get warning() {
      return playback.warning;
    },
    get stats() {
      return playback.stats;
    },
    get latency() {
      return playback.latency;
    },
    get latencyMs() {
      return playback.latency?.ms ?? null;
    },
    get muted() {
      return playback.muted;
    },
    get attempts() {
      return playback.attempts;
    },
    get sessions() {
      return playback.sessions;
    },
    get stream() {
      return playback.stream;
    },
  },
});

function showState() {
  const { state, error, warning } = playback;
  document.body.dataset.state = state;
  if (error) document.body.dataset.error = error.code;
  else delete document.body.dataset.error;

  const running = state !== 'stopped' && state !== 'idle' && state !== 'error';
  setIcon(byId('toggle'), running ? 'stop' : 'play', running ? 'Stop' : 'Play');
  const words = notice(playback);
  byId('notice').hidden = words === null;
  byId('notice').dataset.busy = String(Boolean(words?.busy));
  setText(byId('notice-title'), words?.title ?? '');
  setText(byId('notice-text'), words?.text ?? '');
  byId('again').hidden = !words?.action;
  setText(byId('again'), words?.action ?? '');
  setText(byId('warning'), warning);
  byId('warning').hidden = warning === '';
  showSound();
  showQuality();
  wake();
  dispatchEvent(new Event('headwater:state'));
}

function showQuality() {
  const flows = playback.state === 'playing' || playback.state === 'stalled';
  const session = flows ? playback.sessions : 0;
  if (session === known) return;
  known = session;
  if (session) quality.begin(playback.chosen);
  else quality.end();
}

function showSound() {
  const silent = playback.muted || playback.volume === 0;
  document.body.dataset.muted = String(silent);
  setIcon(byId('mute'), silent ? 'muted' : 'sound', silent ? 'Sound on' : 'Mute');
  volume.value = String(Math.round((playback.muted ? 0 : playback.volume) * 100));
  volume.style.setProperty('--level', `${volume.value}%`);
  byId('tap').hidden = !(soundBlocked && (playback.muted || playback.way === 'wsplayer') && playback.state === 'playing' && playback.kinds.includes('audio'));
}

function showStats() {
  const flowing = playback.state === 'playing' || playback.state === 'stalled';
  setPairs(byId('facts'), flowing ? facts(playback) : []);
  if (!panel.hidden) showStatistics(byId('statistics-groups'), playback);
  showWindow();
  const { latency } = playback;
  const chip = byId('latency-chip');
  chip.hidden = latency === null;
  if (latency) {
    setText(chip, `${latency.measured ? '' : '≈ '}${format.milliseconds(Math.round(latency.ms))}`);
    chip.title = latency.measured ? 'Delay from glass to glass, read from the picture' : 'Delay from the server to your screen, estimated';
  }
}

/** All ways, the one that is liked best first. @param {string} liked */
function inOrder(liked) {
  return [...WAYS].sort((one, other) => Number(other === liked) - Number(one === liked));
}

/** @param {string} word @returns {word is import('./sdk/player.d.ts').Way} */
function isWay(word) {
  return word in NAMES;
}

/** The ways to choose from, the one that is tried first among them. */
function showWays() {
  for (const way of WAYS) {
    const option = element('option', { value: way });
    setText(option, NAMES[way]);
    wayChoice.append(option);
  }
  wayChoice.value = ways[0];
}

/** The live mark, and the bar to wind back with where there is something to see again. */
function showWindow() {
  const range = playback.window;
  const canWind = range !== null && range.length > WINDOW_MIN_S;
  const isLive = !range || range.behind < LIVE_S;
  document.body.dataset.live = String(isLive);
  setText(byId('live'), isLive ? 'Live' : `−${format.duration(range.behind)}`);
  byId('live').title = isLive ? '' : 'Back to live';
  seekBar.hidden = !canWind;
  if (!canWind || seekBar.matches(':active')) return;
  seekBar.min = String(-Math.round(range.length));
  seekBar.value = String(-Math.round(range.behind));
  seekBar.style.setProperty('--level', `${100 - (100 * range.behind) / range.length}%`);
  seekBar.setAttribute('aria-valuetext', isLive ? 'live' : `${format.duration(range.behind)} behind live`);
}

/** @param {number} seconds */
function wind(seconds) {
  const range = playback.window;
  if (range) playback.seek(range.behind + seconds);
  showWindow();
}

/** @param {number} level */
function setVolume(level) {
  playback.volume = level;
  playback.muted = playback.volume === 0;
  remember('volume', String(playback.volume));
}

function toggleSound() {
  if (playback.muted || playback.volume === 0 || soundBlocked) {
    if (playback.volume === 0) setVolume(1);
    soundBlocked = false;
    playback.muted = false;
  } else {
    playback.muted = true;
  }
  showSound();
}

function togglePlay() {
  if (playback.state === 'stopped' || playback.state === 'idle' || playback.state === 'error') playback.start();
  else playback.stop();
}

async function toggleFullScreen() {
  try {
    if (document.fullscreenElement) await document.exitFullscreen();
    else if (stage.requestFullscreen) await stage.requestFullscreen();
    else /** @type {any} */ (playback.element).webkitEnterFullscreen?.(); // an iPhone gives the screen to the video alone
  } catch {
    // the browser does not allow it here
  }
}

function toggleStatistics() {
  panel.hidden = !panel.hidden;
  byId('statistics-button').setAttribute('aria-expanded', String(!panel.hidden));
  document.body.toggleAttribute('data-statistics', !panel.hidden);
  remember('statistics', String(!panel.hidden));
  showStats();
  askForSource();
}

/** One question to the API costs little, one from each of thousands of viewers does not: it is asked if it is shown. */
function askForSource() {
  if (!panel.hidden && !document.hidden && playback.state === 'playing') playback.askWhatItIs();
}

/** @type {ReturnType<typeof setTimeout>|undefined} */
let sleepTimer;
/** Shows the controls; they leave by themselves while the stream plays and nobody needs them. */
function wake() {
  clearTimeout(sleepTimer);
  stage.dataset.controls = 'shown';
  if (playback.state !== 'playing') return;
  sleepTimer = setTimeout(() => {
    if (byId('controls').matches(':focus-within, :hover')) wake();
    else stage.dataset.controls = 'hidden';
  }, HIDE_CONTROLS_MS);
}

/** @type {Record<string, () => void>} */
const KEYS = {
  ' ': togglePlay,
  k: togglePlay,
  m: toggleSound,
  f: toggleFullScreen,
  s: toggleStatistics,
  ArrowUp: () => setVolume(playback.volume + VOLUME_STEP),
  ArrowDown: () => setVolume(playback.volume - VOLUME_STEP),
  ArrowLeft: () => wind(SEEK_STEP_S),
  ArrowRight: () => wind(-SEEK_STEP_S),
  l: () => playback.toLive(),
};

/** @param {KeyboardEvent} event */
function keyPressed(event) {
  wake();
  const target = /** @type {HTMLElement} */ (event.target);
  const own = event.key === ' ' ? target.closest('button, a, input, select') : target.closest('input, select');
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action || own || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.startsWith('Arrow') && !stage.contains(target)) return; // arrows scroll the page elsewhere
  event.preventDefault();
  action();
}

function listen() {
  playback.addEventListener('state', () => (showState(), showStats(), askForSource()));
  setInterval(askForSource, SOURCE_MS);
  playback.addEventListener('stats', showStats);
  playback.addEventListener('blocked', () => {
    soundBlocked = true;
    showSound();
  });
  video.addEventListener('volumechange', showSound);
  playback.addEventListener('volumechange', showSound);
  playback.addEventListener('resize', () => {
    if (playback.width) byId('watch').style.setProperty('--ratio', `${playback.width} / ${playback.height}`);
  });
  wayChoice.addEventListener('change', () => {
    remember('way', wayChoice.value);
    playback.ways = inOrder(wayChoice.value);
  });
  seekBar.addEventListener('input', () => playback.seek(-Number(seekBar.value)));
  byId('live').addEventListener('click', () => playback.toLive());
  byId('toggle').addEventListener('click', togglePlay);
  byId('again').addEventListener('click', () => playback.start());
  byId('mute').addEventListener('click', toggleSound);
  byId('tap').addEventListener('click', toggleSound);
  byId('fullscreen').addEventListener('click', toggleFullScreen);
  byId('statistics-button').addEventListener('click', toggleStatistics);
  volume.addEventListener('input', () => setVolume(Number(volume.value) / 100));
  document.addEventListener('fullscreenchange', () => {
    const full = document.fullscreenElement !== null;
    setIcon(byId('fullscreen'), full ? 'shrink' : 'expand', full ? 'Leave full screen' : 'Full screen');
  });
  document.addEventListener('keydown', keyPressed);
  stage.addEventListener('pointermove', wake);
  stage.addEventListener('focusin', wake);
  stage.addEventListener('pointerup', ({ pointerType, target }) => {
    if (target !== playback.element) return;
    if (pointerType !== 'mouse' && stage.dataset.controls === 'shown' && playback.state === 'playing') stage.dataset.controls = 'hidden';
    else wake();
  });
  stage.addEventListener('dblclick', ({ target }) => target === playback.element && toggleFullScreen());
}

setText(byId('name'), name);
document.title = `${name} – Headwater`;
showWays();
const kept = Number(recall('volume') ?? 1);
playback.volume = kept > 0 && kept <= 1 ? kept : 1;
listen();
if (recall('statistics') === 'true') toggleStatistics();
playback.start();
