import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { send, until } from './http';

/**
 * Starts an nginx of its own, which writes to its folder only.
 *
 * @param directives - of the block `http`
 * @param port - a port that nginx listens on
 * @returns a function that kills it
 */
export async function runNginx(
  folder: string,
  directives: string,
  port: number,
): Promise<() => void> {
  await mkdir(folder, { recursive: true });
  const conf = path.join(folder, 'nginx.conf');
  const log = path.join(folder, 'error.log');
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
      ${directives}
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
    return send(port, { path: '/' }).then(
      () => true,
      () => false,
    );
  });
  return () => child.kill('SIGKILL');
}
