import { freePort } from '../../src/__testUtils__/startBackend';
import { runNginx } from '../runNginx';

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
  /** Port of one replica behind `proxy_buffer_size 16k` and the buffers that it needs. */
  buffer16k: number;
}

export async function reserveNginxPorts(): Promise<NginxPorts> {
  return {
    main: await freePort(),
    outage: await freePort(),
    single: await freePort(),
    buffer8k: await freePort(),
    buffer16k: await freePort(),
  };
}

/**
 * Starts an nginx with these ports.
 *
 * @returns a function that kills it
 */
export async function startNginx(
  folder: string,
  ports: NginxPorts,
  [a, b]: number[],
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
  const upstream = (name: string) =>
    `upstream ${name} { server 127.0.0.1:${a}; server 127.0.0.1:${b}; }`;
  return runNginx(
    folder,
    `
      ${upstream('replicas')}
      ${upstream('same_replicas')}
      ${server(ports.main, 'replicas')}
      ${server(ports.outage, 'same_replicas')}
      ${server(ports.single, `127.0.0.1:${a}`)}
      ${server(ports.buffer8k, `127.0.0.1:${a}`, 'proxy_buffer_size 8k;')}
      ${server(
        ports.buffer16k,
        `127.0.0.1:${a}`,
        // Nginx does not start with the first directive alone: the default of the second, twice the first, is more than
        // `proxy_buffers` allows.
        'proxy_buffer_size 16k; proxy_busy_buffers_size 16k;',
      )}`,
    ports.single,
  );
}
