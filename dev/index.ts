import path from 'node:path';
import { createBackend } from '@backstage/backend-defaults';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import { badgePlugin } from './badgePlugin';
import { clockPlugin } from './clockPlugin';
import { decisionHeader, decisionHeaderServiceFactory } from './decisionHeader';
import { startEchoServer } from './echoServer';
import { helloPlugin } from './helloPlugin';

async function main() {
  await startEchoServer(7008);

  const backend = createBackend();
  backend.add(import('@backstage/plugin-auth-backend'));
  backend.add(import('@backstage/plugin-auth-backend-module-guest-provider'));
  backend.add(import('@backstage/plugin-catalog-backend'));
  backend.add(import('@backstage/plugin-permission-backend'));
  backend.add(
    import('@backstage/plugin-permission-backend-module-allow-all-policy'),
  );
  backend.add(import('@backstage/plugin-proxy-backend'));
  backend.add(import('@backstage/plugin-signals-backend'));
  backend.add(import('@backstage/plugin-techdocs-backend'));
  backend.add(badgePlugin);
  backend.add(clockPlugin);
  backend.add(helloPlugin);
  backend.add(import('../src'));

  backend.add(decisionHeaderServiceFactory);
  backend.add(
    rootHttpRouterServiceFactory({
      configure({ app, applyDefaults }) {
        app.use(decisionHeader);
        app.get('/', (_req, res) => {
          res.sendFile(path.resolve(__dirname, 'page.html'));
        });
        applyDefaults();
      },
    }),
  );
  await backend.start();

  console.log(`
The API gate is in front of everything below http://localhost:7007/api

  See it:  http://localhost:7007/

  401:     curl -i http://localhost:7007/api/catalog/entities
  Public:  curl -i http://localhost:7007/api/hello/health
  200:     curl -i http://localhost:7007/api/catalog/entities -H "Authorization: Bearer $(curl -s http://localhost:7007/api/auth/guest/refresh | node -pe 'JSON.parse(fs.readFileSync(0)).backstageIdentity.token')"
`);
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
