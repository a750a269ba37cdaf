import type { JsonObject } from '@backstage/types';
import { expectEqual, Report } from '../../Report';
import { expectNoStart } from './checkFailedLoad';
import type { DynamicBackend, World } from './World';

const apiGate = (value: JsonObject): JsonObject => ({
  auth: { apiGate: value },
});

/** Checks how a wrong configuration is refused, and the schema that the export brings. */
export async function checkConfig(
  report: Report,
  world: World,
  gated: DynamicBackend,
): Promise<void> {
  await report.check('[P70] a wrong value stops the start', async () => {
    const backend = await world.create('wrong', {
      pluginConfig: apiGate({ allow: [{ plugin: 'hello', path: '**' }] }),
    });
    await expectNoStart(backend, 'auth.apiGate.allow[0].path');
    return 'auth.apiGate.allow[0].path';
  });

  await report.check(
    '[P70] the schema of the export is found, and shows nothing to frontends',
    async () => {
      const ask = (mode: string) =>
        gated.ask<{ frontend: JsonObject; errors: string[] }>('schema', {
          data: apiGate({ mode, operators: ['user:default/jane'] }),
        });
      const right = await ask('enforce');
      expectEqual('of a right one', right, { frontend: {}, errors: [] });
      const { frontend, errors } = await ask('enforced');
      expectEqual('what a frontend gets of a wrong one', frontend, {});
      expectEqual(
        `where it is wrong, ${errors}`,
        errors.map(error => error.endsWith('at /auth/apiGate/mode')),
        [true],
      );
      return errors[0];
    },
  );
}
