/**
 * Tables that stay as they are where nothing has changed, are sorted by their headings, and are cards on a phone.
 */
import { element, setText } from '../dom.js';
import * as format from '../format.js';

/**
 * @template Row
 * @typedef {object} Column
 * @property {string} title
 * @property {string} [sort]              what the server calls the order by this column
 * @property {boolean} [number]           set to the right
 * @property {(row: Row) => string} [text]
 * @property {(cell: HTMLElement, row: Row) => void} [fill]  in place of `text`; called each time
 */

/** @template Row */
export class Table {
  #columns;
  #key;
  /** @type {Map<string, HTMLElement>} */
  #rows = new Map();
  #body = element('tbody', { role: 'rowgroup' });
  /** @type {(sort: string, descending: boolean) => void} */
  #onsort;
  sort = '';
  descending = false;
  /** @type {HTMLElement} */
  element;

  /**
   * @param {string} label
   * @param {Column<Row>[]} columns
   * @param {(row: Row) => string} key
   * @param {(sort: string, descending: boolean) => void} [onsort]
   */
  constructor(label, columns, key, onsort = () => {}) {
    this.#columns = columns;
    this.#key = key;
    this.#onsort = onsort;
    const head = element('tr', { role: 'row' }, ...columns.map((column) => this.#heading(column)));
    this.element = element('table', { class: 'list', role: 'table', 'aria-label': label }, element('thead', { role: 'rowgroup' }, head), this.#body);
  }

  /** @param {Column<Row>} column */
  #heading({ title, sort, number }) {
    const heading = element('th', { role: 'columnheader', scope: 'col', ...(number ? { class: 'number' } : {}) });
    if (!sort) {
      heading.append(title || element('span', { class: 'visually-hidden' }, 'Actions'));
      return heading;
    }
    const button = element('button', { type: 'button', class: 'sort', 'data-sort': sort }, title);
    button.addEventListener('click', () => {
      const descending = this.sort === sort ? !this.descending : Boolean(number);
      this.showSort(sort, descending);
      this.#onsort(sort, descending);
    });
    heading.append(button);
    return heading;
  }

  /** @param {string} sort @param {boolean} descending */
  showSort(sort, descending) {
    this.sort = sort;
    this.descending = descending;
    for (const button of this.element.querySelectorAll('.sort')) {
      const heading = /** @type {HTMLElement} */ (button.parentElement);
      if (/** @type {HTMLElement} */ (button).dataset.sort === sort) heading.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
      else heading.removeAttribute('aria-sort');
    }
  }

  /** @param {Row[]} rows in their order */
  update(rows) {
    const seen = new Set();
    rows.forEach((row, index) => {
      const key = this.#key(row);
      seen.add(key);
      const shown = this.#rows.get(key) ?? this.#make(key);
      this.#columns.forEach(({ text, fill }, column) => {
        const cell = /** @type {HTMLElement} */ (shown.children[column]);
        if (fill) fill(cell, row);
        else setText(cell, text?.(row) || '–');
      });
      if (this.#body.children[index] !== shown) this.#body.insertBefore(shown, this.#body.children[index] ?? null);
    });
    for (const [key, shown] of this.#rows) {
      if (seen.has(key)) continue;
      shown.remove();
      this.#rows.delete(key);
    }
  }

  /** @param {string} key */
  #make(key) {
    const cells = this.#columns.map(({ title, number }, index) =>
      element(index === 0 ? 'th' : 'td', { role: index === 0 ? 'rowheader' : 'cell', 'data-label': title, ...(index === 0 ? { scope: 'row' } : {}), ...(number ? { class: 'number' } : {}) }),
    );
    const row = element('tr', { role: 'row' }, ...cells);
    this.#rows.set(key, row);
    return row;
  }
}

/** Which part of a list is shown, and buttons for the others. */
export class Pager {
  #text = element('span', { class: 'summary' });
  #back = element('button', { type: 'button', class: 'button plain small' }, 'Back');
  #next = element('button', { type: 'button', class: 'button plain small' }, 'Next');
  offset = 0;
  element = element('div', { class: 'pager' }, this.#text, this.#back, this.#next);

  /** @param {number} size of a page @param {() => void} onmove */
  constructor(size, onmove) {
    this.size = size;
    this.#back.addEventListener('click', () => this.#move(-size, onmove));
    this.#next.addEventListener('click', () => this.#move(size, onmove));
  }

  /** @param {number} by @param {() => void} onmove */
  #move(by, onmove) {
    this.offset = Math.max(0, this.offset + by);
    onmove();
  }

  /** @param {number} found in all @param {number} shown now @param {string} one @param {string} many */
  update(found, shown, one, many) {
    const last = this.offset + shown;
    setText(this.#text, found > this.size ? `${format.number(Math.min(this.offset + 1, last))}–${format.number(last)} of ${format.count(found, one, many)}` : format.count(found, one, many));
    for (const button of [this.#back, this.#next]) button.hidden = found <= this.size;
    /** @type {HTMLButtonElement} */ (this.#back).disabled = this.offset === 0;
    /** @type {HTMLButtonElement} */ (this.#next).disabled = last >= found;
  }
}
