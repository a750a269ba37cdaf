// Runs a backend in a process of its own: Backstage's default services, the real `auth` plugin, the gate, and a plugin that has
// opened all its own paths. The process answers the test's requests by `BackendProcess.ask`.
import { openSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import type { Request, Response } from 'express';
import apiGate from '../../../src';
import { cookieIssuer } from '../../../src/__tests__/__testUtils__/cookieIssuer';
import { openPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { createChildBackend } from '../../createChildBackend';
import { runAsChild } from '../../runAsChild';
import type { BackendOptions } from './World';

const options: BackendOptions = JSON.parse(process.env.BACKEND_CONFIG!);

/** Answers after `?ms=` milliseconds, in `?parts=` parts. */
async function handle({ query }: Request, res: Response) {
  const parts = Number(query.parts ?? 1);
  res.setHeader('Content-Type', 'text/plain');
  for (let i = 0; i < parts; i += 1) {
    await sleep(Number(query.ms ?? 0) / parts);
    res.write('part\n');
  }
  res.end('end\n');
}

const hello = openPlugin('hello', {
  handle,
});

const backend = createChildBackend(options.config, [apiGate, hello.feature], {
  withAuth: false,
});
if (options.withAuth !== false) {
  backend.add(import('@backstage/plugin-auth-backend'));
}
if (options.issuerHangs) {
  const issuer = { issueCookie: () => new Promise<never>(() => {}) };
  backend.add(cookieIssuer('hanging-issuer', issuer));
}
if (options.acceptedFile) {
  const file = openSync(options.acceptedFile, 'a');
  backend.add(
    rootHttpRouterServiceFactory({
      configure({ server, applyDefaults }) {
        server.prependListener('request', req => {
          // Write synchronously: asynchronous writes would not survive the end of the process.
          writeSync(file, `${req.headers['x-id']}\n`);
        });
        applyDefaults();
      },
    }),
  );
}

const answers: Record<string, () => unknown> = {
  /** Returns the number of requests that have reached the plugin's handler. */
  handled: () => hello.handled.length,
  /** Returns the bytes in use after a full garbage collection. */
  memory() {
    global.gc!();
    const { rss, heapUsed, external } = process.memoryUsage();
    return { rss, heap: heapUsed + external };
  },
};

runAsChild(backend, answers);
