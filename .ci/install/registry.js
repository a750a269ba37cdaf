// A registry on this machine that has the packed gate, and sends every other request to npm's: `node .ci/install/registry.js TARBALL`
// prints its address.
const { execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const { createServer } = require('node:http');

const [, , tarball] = process.argv;
const bytes = fs.readFileSync(tarball);
const upstream = execFileSync('npm', ['config', 'get', 'registry'])
  .toString()
  .trim()
  .replace(/\/$/, '');
const manifest = JSON.parse(
  execFileSync('tar', ['-xzOf', tarball, 'package/package.json']),
);
const { name, version } = manifest;
const path = `/${name}/-/${name}-${version}.tgz`;
const published = '2026-01-01T00:00:00.000Z';

const server = createServer((req, res) => {
  if (req.url === path) {
    res.end(bytes);
  } else if (req.url === `/${name}`) {
    const dist = {
      tarball: `http://${req.headers.host}${path}`,
      integrity: `sha512-${createHash('sha512').update(bytes).digest('base64')}`,
    };
    res.setHeader('Content-Type', 'application/json').end(
      JSON.stringify({
        name,
        'dist-tags': { latest: version },
        versions: { [version]: { ...manifest, dist } },
        time: { [version]: published },
      }),
    );
  } else {
    res.writeHead(302, { Location: `${upstream}${req.url}` }).end();
  }
});
server.listen(0, 'localhost', () =>
  console.log(`http://localhost:${server.address().port}`),
);
