/**
 * How to send a stream to this server: what to paste into OBS, and lines for ffmpeg.
 */
import { element, icon, recall, remember, setText } from './dom.js';

const NAME_KEY = 'send.name';

/** The server as an encoder reaches it: the page's own host, at the RTMP port. */
const server = `rtmp://${location.hostname || 'localhost'}/live`;

/** @type {{title: string, text: string, fields: {label: string, value: (name: string) => string, long?: boolean}[]}[]} */
const WAYS = [
  {
    title: 'From OBS Studio',
    text: 'Settings, Stream, service “Custom…”. For the least delay set the keyframe interval to 1 s, the tune to zerolatency and B-frames to 0.',
    fields: [
      { label: 'Server', value: () => server },
      { label: 'Stream key', value: (name) => name },
    ],
  },
  {
    title: 'From a file, with ffmpeg',
    text: 'Put your own file in the place of video.mp4.',
    fields: [
      {
        label: 'Command',
        long: true,
        value: (name) =>
          `ffmpeg -re -i video.mp4 -c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 60 -c:a aac -b:a 128k -f flv ${server}/${name}`,
      },
    ],
  },
  {
    title: 'A test picture, with ffmpeg',
    text: 'Needs no file and no camera.',
    fields: [
      {
        label: 'Command',
        long: true,
        value: (name) =>
          `ffmpeg -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000 -c:v libx264 -preset veryfast -tune zerolatency -pix_fmt yuv420p -g 60 -c:a aac -f flv ${server}/${name}`,
      },
    ],
  },
];

/**
 * Fills the section with one card per way, and a field for the stream's name that all of them follow.
 * @param {HTMLElement} section
 */
export function showWays(section) {
  /** @type {((name: string) => void)[]} */
  const followers = [];
  const input = /** @type {HTMLInputElement} */ (
    element('input', { id: 'send-name', autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false', maxlength: '128' })
  );
  input.value = recall(NAME_KEY) || 'my-stream';
  const follow = () => {
    const name = input.value.trim().replace(/[^\w./-]+/g, '-').replace(/^[^a-z0-9]+/i, '') || 'my-stream';
    for (const follower of followers) follower(name);
    return name;
  };
  input.addEventListener('input', follow);
  input.addEventListener('change', () => {
    input.value = follow();
    remember(NAME_KEY, input.value);
  });

  const label = element('label', { for: 'send-name' }, 'Name of your stream');
  section.append(element('div', { class: 'send-name' }, label, input));
  for (const way of WAYS) {
    const card = element('div', { class: 'way' }, element('h3', {}, way.title), element('p', {}, way.text));
    for (const field of way.fields) card.append(copyField(field, way.title, followers));
    section.append(card);
  }
  follow();
}

/**
 * @param {{label: string, value: (name: string) => string, long?: boolean}} field
 * @param {string} way
 * @param {((name: string) => void)[]} followers
 */
function copyField(field, way, followers) {
  const code = element('code', { class: field.long ? 'long' : '', tabindex: '0' });
  followers.push((name) => code.replaceChildren(...unbroken(field.value(name))));
  const word = element('span', {}, 'Copy');
  const button = element('button', { type: 'button', class: 'copy', 'aria-label': `Copy: ${field.label}, ${way}` }, icon('copy'), word);
  const said = element('span', { class: 'visually-hidden', role: 'status' });
  button.addEventListener('click', async () => {
    const copied = await copy(code.textContent ?? '', code);
    setText(word, copied ? 'Copied' : 'Press Ctrl+C');
    setText(said, copied ? `${field.label} copied` : `${field.label} is selected; copy it with your keyboard`);
    button.classList.toggle('done', copied);
    setTimeout(() => {
      setText(word, 'Copy');
      setText(said, '');
      button.classList.remove('done');
    }, 2000);
  });
  return element('div', { class: 'copy-field' }, element('span', { class: 'copy-label' }, field.label), code, button, said);
}

/**
 * The words of a command line, each of which a narrow page keeps in one piece.
 * @param {string} line
 */
function unbroken(line) {
  return line.split(' ').flatMap((word, index) => (index ? [' ', element('span', {}, word)] : [element('span', {}, word)]));
}

/**
 * Puts a text on the clipboard; outside secure pages it is selected and copied the old way.
 * @param {string} text
 * @param {HTMLElement} shown
 */
async function copy(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    getSelection()?.selectAllChildren(shown);
    try {
      return document.execCommand('copy');
    } catch {
      return false;
    }
  }
}
