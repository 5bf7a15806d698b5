/**
 * Questions before what cannot be undone, and short words after what was done.
 */
import { element, setText } from '../dom.js';

const SHOWN_MS = 5000;

/**
 * Asks; true if it is to be done. Escape and the other button say no.
 * @param {{title: string, text: string, action: string}} question
 * @returns {Promise<boolean>}
 */
export function confirm({ title, text, action }) {
  const yes = element('button', { type: 'button', class: 'button danger', 'data-answer': 'yes' }, action);
  const no = element('button', { type: 'button', class: 'button plain', 'data-answer': 'no' }, 'Cancel');
  const dialog = /** @type {HTMLDialogElement} */ (
    element('dialog', { class: 'question', 'aria-labelledby': 'question-title' }, element('h2', { id: 'question-title' }, title), element('p', {}, text), element('div', { class: 'answers' }, no, yes))
  );
  document.body.append(dialog);
  dialog.showModal();
  no.focus();
  return new Promise((done) => {
    let answer = false;
    yes.addEventListener('click', () => {
      answer = true;
      dialog.close();
    });
    no.addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => {
      dialog.remove();
      done(answer);
    });
  });
}

/**
 * Asks for a few words; nothing if they are not given.
 * @param {{title: string, label: string, value: string, action: string, text?: string}} question
 * @returns {Promise<string>}
 */
export function askText({ title, label, value, action, text = '' }) {
  const input = /** @type {HTMLInputElement} */ (element('input', { name: 'answer', required: '', maxlength: '80', autocomplete: 'off' }));
  input.value = value;
  const no = element('button', { type: 'button', class: 'button plain', 'data-answer': 'no' }, 'Cancel');
  const yes = element('button', { type: 'submit', class: 'button', 'data-answer': 'yes' }, action);
  const form = element('form', {}, element('h2', { id: 'question-title' }, title), element('p', {}, text), element('label', { class: 'field tall' }, element('span', {}, label), input), element('div', { class: 'answers' }, no, yes));
  const dialog = /** @type {HTMLDialogElement} */ (element('dialog', { class: 'question', 'aria-labelledby': 'question-title' }, form));
  document.body.append(dialog);
  dialog.showModal();
  input.select();
  return new Promise((done) => {
    let answer = '';
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      answer = input.value.trim();
      dialog.close();
    });
    no.addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => {
      dialog.remove();
      done(answer);
    });
  });
}

/** @type {ReturnType<typeof setTimeout>|undefined} */
let timer;

/**
 * Says something in passing, to screen readers too.
 * @param {string} text
 * @param {'good'|'bad'} [kind]
 */
export function say(text, kind = 'good') {
  const place = /** @type {HTMLElement} */ (document.getElementById('said'));
  // What is hidden is not read out when it changes, so it is shown first.
  place.hidden = false;
  place.dataset.kind = kind;
  setText(place, text);
  clearTimeout(timer);
  timer = setTimeout(() => {
    place.hidden = true;
    place.textContent = ''; // the same words are told anew the next time
  }, SHOWN_MS);
}

/**
 * Does something after a question, and says how it went.
 * @param {{title: string, text: string, action: string, done: string}} question
 * @param {() => Promise<unknown>} act
 */
export async function confirmAndDo(question, act) {
  if (!(await confirm(question))) return false;
  try {
    await act();
    say(question.done);
    return true;
  } catch (error) {
    say(/** @type {Error} */ (error).message, 'bad');
    return false;
  }
}
