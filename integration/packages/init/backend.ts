// Runs the backend of an app, by the file that `create-app` has made for it.
import { sleep } from '../../http';

const { index, configFiles, url } = JSON.parse(process.env.BACKEND_CONFIG!);
for (const file of configFiles) {
  process.argv.push('--config', file);
}
process.once('disconnect', () => process.exit());
// Backstage only logs that a plugin has not started.
process.once('unhandledRejection', () => process.exit(1));

/** Resolves once every plugin is up. The file starts the backend, and exports nothing. */
async function waitUntilReady(): Promise<void> {
  for (;;) {
    await sleep(200);
    const { ok } = await fetch(`${url}/.backstage/health/v1/readiness`).catch(
      () => ({ ok: false }),
    );
    if (ok) {
      return;
    }
  }
}

require(index);
waitUntilReady().then(() => process.send!('started'));
