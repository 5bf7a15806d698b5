/** The page of the REST API: shows the server's own description, and tries its calls. */

import { byId, element, setText } from './dom.js';

/** @typedef {{type?: string|string[], description?: string, properties?: Record<string, Schema>, required?: string[], items?: Schema, oneOf?: Schema[], example?: unknown, $ref?: string}} Schema */

/** @param {any} description the OpenAPI document */
function show(description) {
  setText(byId('about'), description.info.description);
  /** @type {Map<string, HTMLElement>} */
  const groups = new Map();
  for (const [path, item] of Object.entries(description.paths)) {
    const operation = item.post;
    if (!operation) continue;
    const tag = operation.tags?.[0] ?? 'other';
    if (!groups.has(tag)) {
      const group = element('section', { class: 'calls-of' }, element('h2', {}, tag));
      groups.set(tag, group);
      byId('calls').append(group);
    }
    groups.get(tag)?.append(showCall(path, operation, description));
  }
}

/**
 * @param {string} path
 * @param {any} operation
 * @param {any} description
 */
function showCall(path, operation, description) {
  const about = operation.summary ?? operation.description ?? '';
  const body = resolve(operation.requestBody?.content['application/json'].schema, description);
  const inside = element('div', { class: 'inside' });
  if (body?.properties) inside.append(element('h3', {}, 'Body'), showFields(body, description));
  inside.append(element('h3', {}, 'Answers'), showAnswers(operation.responses));
  const answer = resolve(operation.responses['200']?.content?.['application/json']?.schema, description);
  const object = answer?.items ? resolve(answer.items, description) : answer;
  if (object?.properties) {
    inside.append(element('h3', {}, answer?.items ? 'Each object of the answer' : 'Answer'), showFields(object, description));
  }
  inside.append(tryOut(path, body));
  const summary = element('summary', {}, element('code', {}, path), element('span', {}, about));
  return element('details', { class: 'call', id: path.slice(1).replaceAll('/', '-') }, summary, inside);
}

/**
 * @param {Schema|undefined} schema
 * @param {any} description
 * @returns {Schema|undefined}
 */
function resolve(schema, description) {
  const name = schema?.$ref?.split('/').pop();
  return name ? description.components.schemas[name] : schema;
}

/**
 * @param {Schema} schema
 * @param {any} description
 */
function showFields(schema, description) {
  const list = element('dl', { class: 'fields' });
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const needed = schema.required?.includes(name) ? '' : ' optional';
    const chosen = field.oneOf?.find((choice) => choice.$ref);
    const about = field.description ?? chosen?.description ?? resolve(chosen, description)?.description ?? '';
    list.append(element('div', {}, element('dt', {}, name, element('small', {}, needed)), element('dd', {}, about)));
  }
  return list;
}

/** @param {Record<string, {description: string}>} responses */
function showAnswers(responses) {
  const list = element('dl', { class: 'fields' });
  for (const [status, response] of Object.entries(responses)) {
    list.append(element('div', {}, element('dt', {}, status), element('dd', {}, response.description)));
  }
  return list;
}

/**
 * A form that sends the call.
 * @param {string} path
 * @param {Schema|undefined} body
 */
function tryOut(path, body) {
  const examples = Object.entries(body?.properties ?? {}).filter(([name, field]) => body?.required?.includes(name) || field.example);
  const text = element('textarea', { 'aria-label': `Body of ${path}`, spellcheck: 'false' });
  /** @type {HTMLTextAreaElement} */ (text).value = JSON.stringify(Object.fromEntries(examples.map(([name, field]) => [name, field.example ?? ''])), null, 2);
  const answer = element('pre', { hidden: '', tabindex: '0' });
  const send = element('button', { class: 'button', type: 'button' }, 'Send');
  send.addEventListener('click', async () => {
    answer.hidden = false;
    setText(answer, 'Sending…');
    setText(answer, await call(path, /** @type {HTMLTextAreaElement} */ (text).value));
  });
  return element('div', {}, element('h3', {}, 'Try it'), text, send, answer);
}

/**
 * @param {string} path
 * @param {string} body
 */
async function call(path, body) {
  try {
    const response = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
    const text = await response.text();
    return `${response.status} ${response.statusText}\n${indent(text)}`;
  } catch (error) {
    return `The server cannot be reached: ${error}`;
  }
}

/** @param {string} text */
function indent(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function start() {
  const response = await fetch('/rest-api/openapi.json');
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  show(await response.json());
}

start().catch((error) => {
  const trouble = byId('trouble');
  trouble.hidden = false;
  setText(trouble, `The description of the API could not be read: ${error.message}`);
});
