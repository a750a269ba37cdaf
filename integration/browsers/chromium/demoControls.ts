import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { Checks } from './Checks';
import { BACKEND } from './devBackend';

const ROOT = path.resolve(__dirname, '../../..');
const TIMEOUT_MS = 10_000;
const PORT = Number(new URL(BACKEND).port);

/** Sends a request with header lines that no client would send, and returns the status of its answer, or 0 without one. */
function statusOf(
  method: string,
  target: string,
  lines: string[],
): Promise<number> {
  return new Promise(resolve => {
    const socket = connect(PORT, 'localhost', () =>
      socket.write(
        [`${method} ${target} HTTP/1.1`, ...lines, '', ''].join('\r\n'),
      ),
    );
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
    socket.once('data', bytes => {
      resolve(Number(String(bytes).split(' ')[1]));
      socket.destroy();
    });
    socket.once('error', () => resolve(0));
    socket.once('close', () => resolve(0));
  });
}

/** Checks that only the page itself, on this machine, may use its controls. */
export async function controls(checks: Checks): Promise<void> {
  const own = `Host: localhost:${PORT}`;
  const sameOrigin = 'Sec-Fetch-Site: same-origin';
  const target = '/dev/public/hello';
  checks.equal(
    'changes that another site asks for, another host, a rule that is not listed',
    [
      await statusOf('PUT', target, [own]),
      await statusOf('PUT', target, [own, 'Sec-Fetch-Site: cross-site']),
      await statusOf('PUT', target, [own, 'Sec-Fetch-Site: same-site']),
      await statusOf('POST', '/dev/attack', [
        own,
        'Sec-Fetch-Site: cross-site',
      ]),
      await statusOf('GET', '/dev/events', ['Host: evil.example']),
      await statusOf('PUT', target, ['Host: evil.example', sameOrigin]),
      await statusOf('PUT', '/dev/public/toString', [own, sameOrigin]),
      await statusOf('PUT', '/dev/public/catalog', [own, sameOrigin]),
    ],
    [403, 403, 403, 403, 403, 403, 404, 404],
  );
  const { status } = await fetch(`${BACKEND}/api/hello/data`);
  checks.equal('status of the closed path after that', status, 401);

  const moved = await fetch(`http://127.0.0.1:${PORT}/`, {
    redirect: 'manual',
  });
  checks.equal(
    'where the address without a name leads',
    moved.headers.get('Location'),
    `${BACKEND}/`,
  );

  const addresses = Object.values(networkInterfaces())
    .flat()
    .filter(address => address && !address.internal && !address.scopeid)
    .map(address => address!.address);
  const reachable = await Promise.all(
    addresses.map(host => canConnect(host, PORT)),
  );
  checks.equal(
    'addresses of the network at which it listens',
    addresses.filter((_, i) => reachable[i]),
    [],
  );
}

function canConnect(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: 1_000 });
    const end = (result: boolean) => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}

/** Starts another one while the port is in use, and with values that are no ports. */
export async function ports(checks: Checks): Promise<void> {
  const start = async (env: NodeJS.ProcessEnv) => {
    const child = spawn(
      process.execPath,
      ['-r', '@backstage/cli-node/config/nodeTransform.cjs', 'dev/index.ts'],
      { cwd: ROOT, env: { ...process.env, ...env } },
    );
    let output = '';
    child.stdout.on('data', chunk => {
      output += chunk;
    });
    child.stderr.on('data', chunk => {
      output += chunk;
    });
    const [code] = await once(child, 'exit');
    return `${code}: ${output.trim()}`;
  };
  const seen = await Promise.all(
    [
      { PORT: String(PORT) },
      { PORT: '7391', PORT_WITHOUT_GATE: String(PORT) },
      { PORT: '70000' },
    ].map(start),
  );
  checks.equal('a port in use, the other port in use, one that is none', seen, [
    `1: Another program uses port ${PORT}. Press Ctrl+C, and choose another port: PORT=7107 npm start`,
    `1: Another program uses port ${PORT}. Press Ctrl+C, and choose another port: PORT_WITHOUT_GATE=7107 npm start`,
    '1: PORT must be a port between 1 and 65535: PORT=7107 npm start',
  ]);
}
