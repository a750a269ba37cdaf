// Reads the policy 50 times a second: the paths that the last message names, one after the other.
import { get } from 'node:http';

export interface Reading {
  paths: string[];
  headers?: Record<string, string>;
}

const [port, bearer] = process.argv.slice(2);
let { paths, headers: sent }: Reading = { paths: [] };
let count = 0;

process.on('message', (message: Reading) => {
  ({ paths, headers: sent } = message);
});
process.on('disconnect', () => process.exit());

setInterval(() => {
  if (paths.length === 0) {
    return;
  }
  const path = paths[count % paths.length].replace('COUNT', String(count));
  count += 1;
  const headers = { ...sent, Authorization: `Bearer ${bearer}` };
  get({ host: '127.0.0.1', port, path, headers, agent: false }, res => {
    if (res.statusCode !== 200) {
      process.exit(2);
    }
    // Users are measured on the same machine, so the reader does not spend time on the text.
    res.resume();
  }).on('error', () => process.exit(3));
}, 20);
