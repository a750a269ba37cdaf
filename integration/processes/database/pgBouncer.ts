import { spawn } from 'node:child_process';
import { chmodSync, openSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { until } from '../../http';

/** Starts PgBouncer in transaction mode, with defaults otherwise. Returns the function that ends it. */
export async function startPgBouncer(
  folder: string,
  port: number,
  server: URL,
  role: string,
): Promise<() => void> {
  const file = (name: string) => path.join(folder, name);
  writeFileSync(
    file('pgbouncer.ini'),
    `[databases]
* = host=127.0.0.1 port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${file('users')}
pool_mode = transaction
`,
  );
  writeFileSync(file('users'), `"${role}" ""\n`);
  // PgBouncer does not run as root, and reads its files as another user.
  chmodSync(folder, 0o755);
  const asUser = process.getuid!() === 0 ? ['-u', 'postgres'] : [];
  const log = openSync(file('pgbouncer.log'), 'a');
  const child = spawn('pgbouncer', [...asUser, file('pgbouncer.ini')], {
    stdio: ['ignore', log, log],
  });
  let error: Error | undefined;
  child.once('error', e => {
    error = e;
  });
  child.once('exit', code => {
    error = new Error(`PgBouncer ended with ${code}`);
  });
  await until('PgBouncer listens', 5_000, async () => {
    if (error) {
      throw error;
    }
    return new Promise<boolean>(resolve => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
  });
  return () => child.kill('SIGKILL');
}
