// Loads the gate as a dynamic plugin of a backend that is put together as Red Hat Developer Hub: see `run`.
import { runChecks } from '../../runChecks';
import { checkConfig } from './checkConfig';
import { ATTACKED, checkDecisions } from './checkDecisions';
import { checkFailedLoad, startOpen } from './checkFailedLoad';
import { checkPage } from './checkPage';
import { entry, VARIABLES } from './page';
import { World } from './World';

const [, , tarball] = process.argv;

runChecks({ name: 'dynamic', limitMs: 240_000 }, async run => {
  const { report } = run;
  const world = new World(run, tarball);
  const plain = await world.create('plain', { pluginConfig: ATTACKED });
  const overriding = await world.create('overriding', {
    pluginConfig: ATTACKED,
    env: VARIABLES,
  });
  const asWritten = await world.create('written', {
    pluginConfig: entry.pluginConfig,
    env: VARIABLES,
  });
  const [open] = await Promise.all([
    startOpen(world),
    ...[plain, overriding, asWritten].map(backend => backend.start()),
  ]);

  const missing = Object.keys(VARIABLES);
  await checkDecisions(report, { open, gated: plain, missing });
  await checkDecisions(report, { open, gated: overriding, missing: [] });
  await checkPage(report, asWritten, tarball);
  await checkConfig(report, world, overriding);
  await checkFailedLoad(report, world, open);
});
