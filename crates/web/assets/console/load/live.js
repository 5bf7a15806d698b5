/**
 * A run that goes on, as several servers tell of it, second by second.
 */
import { History } from '../figures.js';
import { isOver } from './model.js';

export class Live {
  /** @type {import('./model.js').Found} */
  found;
  /** What is wrong with a server, by its name. @type {Map<string, string>} */
  problems = new Map();
  #client;
  #uri;
  #nodes;
  /** @type {Map<string, History>} */
  #histories = new Map();

  /** @param {import('../client.js').Client} client @param {string} name @param {string[]} nodes @param {string} target the server that is measured, or nothing */
  constructor(client, name, nodes, target) {
    this.#client = client;
    this.#uri = `load://${name}`;
    this.#nodes = nodes;
    this.found = { name, parts: [], cpu: {}, target };
  }

  get isOver() {
    return this.found.parts.length > 0 && this.found.parts.every(({ results }) => isOver(results.run.state));
  }

  /** Asks all of them; one that does not answer keeps what it told last. @param {AbortSignal} signal */
  async ask(signal) {
    this.problems.clear();
    const parts = await Promise.all(this.#nodes.map((node) => this.#part(node, signal)));
    if (signal.aborted) return;
    this.found.parts = parts.filter((part) => part !== null);
    if (!this.isOver) await this.#askBusy(signal);
  }

  /** @param {string} node @param {AbortSignal} signal */
  async #part(node, signal) {
    try {
      return { node, results: await this.#client.call('load/results', { uri: this.#uri }, { node, signal }) };
    } catch (error) {
      const { code, message } = /** @type {import('../client.js').CallError} */ (error);
      this.problems.set(node, code === 'not_found' ? `${node} knows this run no more: it has been started anew, or has forgotten it for newer ones.` : `${node} does not answer: ${message}`);
      return this.found.parts.find((part) => part.node === node) ?? null;
    }
  }

  /** How busy the servers are. @param {AbortSignal} signal */
  async #askBusy(signal) {
    const { found } = this;
    const points = Math.max(0, ...found.parts.map(({ results }) => results.series.length));
    const asked = [...new Set([found.target, ...this.#nodes])].filter(Boolean);
    await Promise.all(
      asked.map(async (node) => {
        const values = (found.cpu[node] ??= []);
        try {
          const history = this.#histories.get(node) ?? new History();
          this.#histories.set(node, history);
          history.add(await this.#client.call('node/figures', {}, { node, signal }));
          const at = Math.max(0, points - 1);
          while (values.length < at) values.push(null);
          values[at] = history.last?.cpu ?? null;
        } catch (error) {
          if (signal.aborted) return;
          if (!this.problems.has(node)) this.problems.set(node, `${node} does not answer: ${/** @type {Error} */ (error).message}`);
        }
      }),
    );
  }

  /** Has all agents leave. */
  async stop() {
    const ended = await Promise.allSettled(this.#nodes.map((node) => this.#client.call('load/terminate', { uri: this.#uri }, { node })));
    const failed = ended.find(({ status }) => status === 'rejected');
    if (failed) throw /** @type {PromiseRejectedResult} */ (failed).reason;
  }
}
