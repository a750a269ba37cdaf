import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { codeBlocks } from '../../src/__testUtils__/documents';
import { freePort } from '../../src/__testUtils__/startBackend';
import { send, until } from '../http';

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
  /** Port of one replica behind Basic auth, as `docs/recipes/reverse-proxies.md` has it. */
  basic: number;
  /** Port of one replica behind `proxy_buffer_size 16k` and the buffers that it needs. */
  buffer16k: number;
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
  };
}

/**
 * Starts an nginx of its own, which writes to its folder only.
 *
 * @returns a function that kills it
 */
export async function startNginx(
  folder: string,
  ports: NginxPorts,
  [a, b]: number[],
): Promise<() => void> {
  await mkdir(folder, { recursive: true });
  const conf = path.join(folder, 'nginx.conf');
  const log = path.join(folder, 'error.log');
  const server = (port: number, target: string, directives = '') => `
    server {
      listen 127.0.0.1:${port};
      ${directives}
      location / {
        proxy_pass http://${target};
        proxy_set_header Host $http_host;
      }
    }`;
  const users = path.join(folder, 'htpasswd');
  const [user, password] = BASIC.split(':');
  await writeFile(users, `${user}:{PLAIN}${password}\n`);
  const [map, locations] = readBasicAuth(users, `127.0.0.1:${a}`);
  const upstream = (name: string) =>
    `upstream ${name} { server 127.0.0.1:${a}; server 127.0.0.1:${b}; }`;
  await writeFile(
    conf,
    `
    # nginx runs as one process: it needs no other user, and a signal ends all of it.
    daemon off;
    master_process off;
    pid ${folder}/pid;
    events {}
    http {
      access_log off;
      ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
        .map(kind => `${kind}_temp_path ${folder}/${kind};`)
        .join(' ')}
      ${upstream('replicas')}
      ${upstream('same_replicas')}
      ${server(ports.main, 'replicas')}
      ${server(ports.outage, 'same_replicas')}
      ${server(ports.single, `127.0.0.1:${a}`)}
      ${map}
      server { listen 127.0.0.1:${ports.basic}; ${locations} }
      ${server(ports.buffer8k, `127.0.0.1:${a}`, 'proxy_buffer_size 8k;')}
      ${server(
        ports.buffer16k,
        `127.0.0.1:${a}`,
        // Nginx does not start with the first directive alone: the default of the second, twice the first, is more than
        // `proxy_buffers` allows.
        'proxy_buffer_size 16k; proxy_busy_buffers_size 16k;',
      )}
    }`,
  );
  const child = spawn('nginx', ['-p', folder, '-c', conf, '-e', log], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let error: Error | undefined;
  child.once('error', e => {
    error = e;
  });
  child.once('exit', code => {
    error = new Error(`nginx ended with ${code}: ${readFileSync(log, 'utf8')}`);
  });
  await until('nginx answers', 5_000, async () => {
    if (error) {
      throw error;
    }
    // Nginx itself answers 502 while no replica is up.
    return send(ports.single, { path: '/' }).then(
      () => true,
      () => false,
    );
  });
  return () => child.kill('SIGKILL');
}
