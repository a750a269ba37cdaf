import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';

/**
 * Creates a certificate authority, a certificate of it for localhost, and a home folder for Chromium, which trusts the authority.
 * Chromium caches nothing from a server whose certificate it does not trust, also if it ignores certificate errors.
 */
export function createAuthority(folder: string) {
  const at = (name: string) => path.join(folder, name);
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { cwd: folder, stdio: 'pipe' });
  const request = (...args: string[]) =>
    run('openssl', 'req', '-x509', '-nodes', '-days', '2', ...args);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

  request(
    ...newKey,
    '-subj',
    '/CN=Test authority',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  );
  request(
    ...newKey,
    ...[
      '-subj',
      '/CN=localhost',
      '-keyout',
      'server.key',
      '-out',
      'server.pem',
    ],
    ...['-CA', 'ca.pem', '-CAkey', 'ca.key'],
    ...['-addext', 'subjectAltName=DNS:localhost'],
    ...['-addext', 'basicConstraints=critical,CA:false'],
  );
  const store = at('home/.pki/nssdb');
  mkdirSync(store, { recursive: true });
  run('certutil', '-N', '--empty-password', '-d', `sql:${store}`);
  run(
    'certutil',
    '-A',
    '-d',
    `sql:${store}`,
    '-n',
    'test',
    '-t',
    'C,,',
    '-i',
    'ca.pem',
  );
  return {
    home: at('home'),
    authorityFile: at('ca.pem'),
    keyFile: at('server.key'),
    certificateFile: at('server.pem'),
  };
}
