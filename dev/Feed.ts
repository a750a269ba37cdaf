import type { Response } from 'express';
import type { ShownDecision } from './decisions';

const MAX_KEPT = 30;
const MAX_LISTENERS = 20;

/** Sends the gate's decisions to the pages that listen, as server-sent events. */
export class Feed {
  readonly #kept: string[] = [];
  readonly #listeners = new Set<Response>();

  add(decision: ShownDecision): void {
    const event = `data: ${JSON.stringify(decision)}\n\n`;
    this.#kept.push(event);
    this.#kept.splice(0, this.#kept.length - MAX_KEPT);
    this.#listeners.forEach(listener => listener.write(event));
  }

  /** Answers with the last decisions, and with each new one until the page is closed. */
  listen(res: Response): void {
    if (this.#listeners.size >= MAX_LISTENERS) {
      res.status(503).end();
      return;
    }
    res.setHeader('Content-Type', 'text/event-stream');
    res.setHeader('Cache-Control', 'no-store');
    res.write(`retry: 1000\n\n${this.#kept.join('')}`);
    this.#listeners.add(res);
    res.on('close', () => this.#listeners.delete(res));
  }

  /** Ends all answers, which would otherwise keep the backend from stopping. */
  close(): void {
    this.#listeners.forEach(listener => listener.end());
  }
}
