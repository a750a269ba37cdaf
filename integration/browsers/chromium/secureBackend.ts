// Runs a backend in a process of its own: the gate, the stock proxy, signals and TechDocs plugins, and a frontend of one empty page.
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import type { Request, Response } from 'express';
import onHeaders from 'on-headers';
import { visitorProvider } from '../../../dev/visitorProvider';
import apiGate from '../../../src';
import { openPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { childConfig, createChildBackend } from '../../createChildBackend';
import { runAsChild } from '../../runAsChild';

let isControl = false;
let requests: Record<string, number> = {};

/** Removes what the gate sets for the browser's cache, to show that the browser would do what the checks look for. */
function undo(res: Response) {
  const vary = String(res.getHeader('Vary') ?? '');
  res.setHeader('Vary', vary.replace(/(, )?Sec-Fetch-Dest/, ''));
  // Answers that set the cookie were `no-store` before, too.
  if (
    res.getHeader('Cache-Control') === 'no-store' &&
    !res.hasHeader('Set-Cookie')
  ) {
    res.setHeader('Cache-Control', 'private');
  }
}

function count({ path }: Request, res: Response) {
  if (/^\/api\/(proxy|techdocs)\//.test(path)) {
    res.once('finish', () => {
      const answered = `${path.split('/').pop()}: ${res.statusCode}`;
      requests[answered] = (requests[answered] ?? 0) + 1;
    });
  }
}

const app = openPlugin('app', {
  handle(_req, res) {
    res.setHeader('Cache-Control', 'no-store');
    res.send('<!doctype html><title>Frontend</title><h1>Frontend</h1>');
  },
});

const backend = createChildBackend(childConfig(), [
  apiGate,
  import('@backstage/plugin-catalog-backend'),
  import('@backstage/plugin-proxy-backend'),
  import('@backstage/plugin-signals-backend'),
  import('@backstage/plugin-techdocs-backend'),
  app.feature,
  visitorProvider,
  rootHttpRouterServiceFactory({
    configure({ app: root, applyDefaults }) {
      root.use((req, res, next) => {
        count(req, res);
        // The listener that is added first is called last.
        onHeaders(res, () => isControl && undo(res));
        next();
      });
      applyDefaults();
    },
  }),
]);

runAsChild(backend, {
  control({ on }: { on: boolean }) {
    isControl = on;
  },
  /** Returns the number of requests since the last call, by the name of the file and the status. */
  requests() {
    const counted = requests;
    requests = {};
    return counted;
  },
});
