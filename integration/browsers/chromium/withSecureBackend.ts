import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import type { Page } from 'playwright-core';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { BackendProcess } from '../../BackendProcess';
import { listen } from '../../http';
import { createAuthority } from './createAuthority';
import { startStaticServer } from './staticServer';

const ROOT = path.resolve(__dirname, '../../..');

/** A backend on https, whose proxy plugin leads to a static server. */
export interface SecureBackend {
  url: string;
  /** The address of the static server's files behind the proxy plugin. */
  files: string;
  /** Another origin of the same site. */
  otherOrigin: string;
  /** The home folder of a browser that trusts the backend's certificate. */
  home: string;
  /** Sets whether the headers are removed that the gate sets for the browser's cache. */
  setControl(on: boolean): Promise<void>;
  /** Returns the number of requests since the last call, by the name of the file and the status. */
  requests(): Promise<Record<string, number>>;
}

/** Runs `use` while such a backend is up. */
export async function withSecureBackend(
  folder: string,
  use: (backend: SecureBackend) => Promise<void>,
): Promise<void> {
  const authority = createAuthority(folder);
  const certificate = {
    key: readFileSync(authority.keyFile, 'utf8'),
    cert: readFileSync(authority.certificateFile, 'utf8'),
  };
  const other = await startEmptyPage(certificate);
  const staticServer = await startStaticServer();
  const port = await freePort();
  const url = `https://localhost:${port}`;
  // The backend fetches its own keys over https.
  process.env.NODE_EXTRA_CA_CERTS = authority.authorityFile;
  const backend = new BackendProcess('https', port, {
    module: path.join(__dirname, 'secureBackend.ts'),
    config: merge(configOf(url, port, staticServer.url), {
      backend: { https: { certificate } },
    }),
    logFile: path.join(folder, 'https.log'),
  });
  const kill = () => backend.killNow();
  process.once('exit', kill);
  try {
    await backend.start();
    await use({
      url,
      files: `${url}/api/proxy/files`,
      otherOrigin: other.url,
      home: authority.home,
      setControl: on => backend.ask('control', { on }),
      requests: () => backend.ask('requests'),
    });
  } finally {
    process.off('exit', kill);
    await backend.kill();
    staticServer.stop();
    other.stop();
  }
}

/** Returns the configuration of `secureBackend.ts`, on http. The proxy plugin leads to `target`. */
export function configOf(
  url: string,
  port: number,
  target: string,
): JsonObject {
  const catalogFile = path.join(ROOT, 'dev/entities.yaml');
  const publishDirectory = path.join(ROOT, 'dev/docs');
  return {
    app: { baseUrl: url },
    backend: {
      baseUrl: url,
      listen: { port, host: 'localhost' },
      database: { client: 'better-sqlite3', connection: ':memory:' },
    },
    auth: {
      providers: { guest: {}, visitor: {} },
      apiGate: { signOut: { providers: ['visitor'] } },
    },
    catalog: {
      locations: [
        {
          type: 'file',
          target: catalogFile,
          rules: [{ allow: ['Component', 'User', 'Group'] }],
        },
      ],
    },
    events: { useEventBus: 'never' },
    proxy: { endpoints: { '/files': { target } } },
    techdocs: {
      builder: 'external',
      publisher: { type: 'local', local: { publishDirectory } },
    },
  };
}

async function startEmptyPage(certificate: { key: string; cert: string }) {
  const server = createServer(certificate, (_req, res) => {
    res.setHeader('Content-Type', 'text/html');
    res.end('<!doctype html><title>Another origin</title>');
  });
  const { port, stop } = await listen(server, 'localhost');
  return { url: `https://localhost:${port}`, stop };
}

/** Signs in as a new user on a page of the backend, as a frontend does. The browser has the cookie then. Returns the token. */
export function signIn(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const answer = await fetch('/api/auth/visitor/refresh');
    const { token } = (await answer.json()).backstageIdentity;
    const headers = { Authorization: `Bearer ${token}` };
    await fetch('/api/proxy/files/first.css', { headers, cache: 'no-store' });
    return token;
  });
}
