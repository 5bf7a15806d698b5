/**
 * A choice among the sizes that a stream comes in, in a `select`: the network’s choice, or one size by its height.
 * It shows only if there is more than one, and says which one is really on the screen.
 *
 * @typedef {import('./sdk/headwater.d.ts').Rendition} Rendition
 * @typedef {(chosen?: string) => Promise<Rendition[]>} Ask  lists the sizes, after choosing one if it is named
 */
import { element, setText } from './dom.js';

const AUTO = 'auto';
/** Browsers begin with the small sizes; the large ones come within seconds. */
const LOOK_AGAIN_MS = [0, 3000, 10_000];

export class Quality {
  #select;
  #place;
  #video;
  #ask;
  /** @type {Rendition[]} */
  #list = [];
  /** @type {ReturnType<typeof setTimeout>[]} */
  #timers = [];

  /**
   * @param {HTMLSelectElement} select
   * @param {HTMLElement} place  what is hidden if there is nothing to choose
   * @param {HTMLVideoElement} video
   * @param {Ask} ask
   */
  constructor(select, place, video, ask) {
    this.#select = select;
    this.#place = place;
    this.#video = video;
    this.#ask = ask;
    select.addEventListener('change', () => this.#look(select.value));
    select.addEventListener('focus', () => this.#look());
    video.addEventListener('resize', () => (this.#show(), this.#look()));
  }

  /** The stream plays. @param {string} chosen what was chosen before */
  begin(chosen) {
    this.end();
    this.#timers = LOOK_AGAIN_MS.map((delay) => setTimeout(() => this.#look(), delay));
    this.#select.dataset.chosen = chosen;
  }

  /** It plays no more. */
  end() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers = [];
    this.#list = [];
    this.#show();
  }

  /** @param {string} [chosen] */
  async #look(chosen) {
    const timers = this.#timers;
    if (timers.length === 0) return;
    try {
      const list = await this.#ask(chosen);
      if (timers !== this.#timers) return;
      this.#list = list;
      if (chosen) this.#select.dataset.chosen = chosen;
    } catch {
      // the size went away, or the server offers none: what was chosen before stays
    }
    if (timers === this.#timers) this.#show();
  }

  #show() {
    this.#place.hidden = this.#list.length < 2;
    if (this.#place.hidden) return;
    const chosen = this.#select.dataset.chosen ?? AUTO;
    const shown = sizeName(this.#video.videoWidth, this.#video.videoHeight);
    const sizes = [...this.#list].sort((one, other) => other.height - one.height);
    const names = sizes.map(({ label, width, height }) => [label, sizeName(width, height) || label]);
    const isShared = (/** @type {string} */ name) => names.filter(([, other]) => other === name).length > 1;
    const texts = [[AUTO, 'Auto'], ...names.map(([label, name]) => [label, isShared(name) ? `${name} ${label}` : name])];
    if (!texts.some(([label]) => label === chosen)) texts.push([chosen, chosen]);
    const options = this.#select.options;
    texts.forEach(([label, name], index) => {
      const option = options[index] ?? this.#select.appendChild(element('option'));
      const isOther = label === chosen && shown && !name.startsWith(shown);
      option.setAttribute('value', label);
      setText(option, isOther ? `${name} (${shown})` : name);
    });
    while (options.length > texts.length) options[texts.length].remove();
    this.#select.value = chosen;
  }
}

/**
 * As people call a size: by its lesser side, so that a picture on end is called as one that lies.
 * @param {number} width
 * @param {number} height
 */
const sizeName = (width, height) => (width && height ? `${Math.min(width, height)}p` : '');
