import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  blocksAfter,
  codeBlocks,
} from '../../../src/__tests__/__testUtils__/documents';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { runNginx } from '../../runNginx';

const PAGE = 'docs/recipes/reverse-proxies.md';

/** The ports of one nginx, each with different settings. */
export interface NginxPorts {
  /** Both replicas in turn, with all directives of buffers at their defaults. */
  main: number;
  /** Both replicas, for a test that makes nginx believe that replicas have failed. */
  outage: number;
  /** Port of one replica behind nginx's defaults: nginx never takes its only server out. */
  single: number;
  /** Port of one replica behind `proxy_buffer_size 8k`. */
  buffer8k: number;
  /** Port of one replica behind Basic auth, as docs/recipes/reverse-proxies.md has it. */
  basic: number;
  /** Port of one replica behind the directives of docs/recipes/reverse-proxies.md. */
  buffer16k: number;
  /** Both replicas in report-only in turn. */
  reportOnly: number;
}

/** The user and the password of Basic auth. */
export const BASIC = 'jane:pass';

/** Returns the blocks of the documents for Basic auth: what belongs into `http`, and the locations. */
function readBasicAuth(users: string, target: string): [string, string] {
  const [map, locations] = codeBlocks('nginx')
    .map(({ text }) => text)
    .filter(text => text.includes('$bearer'));
  return [
    map,
    locations
      .replaceAll('/etc/nginx/htpasswd', users)
      .replaceAll('backstage:7007', target),
  ];
}

export async function reserveNginxPorts(): Promise<NginxPorts> {
  return {
    main: await freePort(),
    outage: await freePort(),
    single: await freePort(),
    basic: await freePort(),
    buffer8k: await freePort(),
    buffer16k: await freePort(),
    reportOnly: await freePort(),
  };
}

/**
 * Starts an nginx with these ports.
 *
 * @returns a function that kills it
 */
export function startNginx(
  folder: string,
  ports: NginxPorts,
  [a, b, c, d]: number[],
): Promise<() => void> {
  const server = (port: number, target: string, directives = '') => `
    server {
      listen 127.0.0.1:${port};
      ${directives}
      location / {
        proxy_pass http://${target};
        proxy_set_header Host $http_host;
      }
    }`;
  mkdirSync(folder, { recursive: true });
  const users = path.join(folder, 'htpasswd');
  const [user, password] = BASIC.split(':');
  writeFileSync(users, `${user}:{PLAIN}${password}\n`);
  const [map, locations] = readBasicAuth(users, `127.0.0.1:${a}`);
  const upstream = (name: string, targets = [a, b]) =>
    `upstream ${name} { ${targets.map(port => `server 127.0.0.1:${port};`).join(' ')} }`;
  // Nginx does not start with `proxy_buffer_size` alone: the default of the other directive, twice the first, is more than
  // `proxy_buffers` allows.
  const [buffers] = blocksAfter(PAGE, 'Header sizes', 'nginx');
  return runNginx(
    folder,
    [
      upstream('replicas'),
      upstream('same_replicas'),
      upstream('reporting', [c, d]),
      server(ports.main, 'replicas'),
      server(ports.reportOnly, 'reporting'),
      server(ports.outage, 'same_replicas'),
      server(ports.single, `127.0.0.1:${a}`),
      map,
      `server { listen 127.0.0.1:${ports.basic}; ${locations} }`,
      server(ports.buffer8k, `127.0.0.1:${a}`, 'proxy_buffer_size 8k;'),
      server(ports.buffer16k, `127.0.0.1:${a}`, buffers),
    ].join('\n'),
    ports.single,
  );
}
