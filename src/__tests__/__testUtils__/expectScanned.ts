import path from 'node:path';
import { uniq } from 'lodash';
import { findUnscanned } from '../../cli/scan/compareScans';
import {
  DeclaredPolicies,
  DeclaredPolicy,
} from '../../gate/plugins/DeclaredPolicies';
import { asRules } from '../../settings/declaredOpen';
import { runCliHere } from './runCli';

/**
 * Records what plugins declare in backends from here on.
 *
 * @returns a function that expects `api-gate scan` of packages to name all of that, or to say that it can't be told. It returns what the
 *   plugins have declared
 */
export function recordDeclared() {
  const watch = jest.spyOn(DeclaredPolicies.prototype, 'watch');
  return async (...names: string[]): Promise<DeclaredPolicy[]> => {
    const folders = names.map(name =>
      path.dirname(
        require.resolve(`${name}/package.json`, { paths: [process.cwd()] }),
      ),
    );
    const { stdout } = await runCliHere(['scan', '--json', ...folders]);
    const declared = uniq(watch.mock.contexts).flatMap(each => each.all());
    expect(
      findUnscanned(JSON.parse(stdout).packages, declared.map(asRules)),
    ).toEqual([]);
    return declared;
  };
}
