/**
 * Making and changing page elements without touching what did not change.
 * Text is always set as text, never as HTML.
 */

/**
 * The element of that id, which the page is sure to have.
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  return /** @type {T} */ (document.getElementById(id));
}

/**
 * A new element.
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node|string)} children
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * An icon of the sprite.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', `/assets/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/**
 * Changes the icon of a button and what a screen reader calls it.
 * @param {HTMLElement} button
 * @param {string} name
 * @param {string} label
 */
export function setIcon(button, name, label) {
  const address = `/assets/icons.svg#${name}`;
  const use = button.querySelector('use');
  if (use && use.getAttribute('href') !== address) use.setAttribute('href', address);
  if (button.getAttribute('aria-label') !== label) button.setAttribute('aria-label', label);
  button.title = label;
}

/**
 * Sets a text only if it differs, so that screen readers and selections are left alone.
 * @param {Element} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Keeps a definition list equal to these pairs; an empty value hides its pair.
 * @param {HTMLElement} list
 * @param {[string, string][]} pairs
 */
export function setPairs(list, pairs) {
  const shown = pairs.filter(([, value]) => value !== '');
  const rows = /** @type {HTMLElement[]} */ ([...list.children]);
  shown.forEach(([term, value], index) => {
    let row = rows[index];
    if (!row) {
      row = element('div', {}, element('dt'), element('dd'));
      list.append(row);
    }
    setText(/** @type {Element} */ (row.firstElementChild), term);
    setText(/** @type {Element} */ (row.lastElementChild), value);
  });
  rows.slice(shown.length).forEach((row) => row.remove());
}

/**
 * Remembers a setting of this browser; where storage is refused it lasts as long as the page.
 * @param {string} key
 * @param {string} value
 */
export function remember(key, value) {
  try {
    localStorage.setItem(`headwater.${key}`, value);
  } catch {
    // nothing is lost but the memory
  }
}

/**
 * What `remember` kept, or null.
 * @param {string} key
 * @returns {string|null}
 */
export function recall(key) {
  try {
    return localStorage.getItem(`headwater.${key}`);
  } catch {
    return null;
  }
}
