import path from 'node:path';
import { isMatch, pick, uniq } from 'lodash';
import { readPackage } from '../../cli/packages/readPackage';
import {
  DeclaredPolicies,
  DeclaredPolicy,
} from '../../gate/plugins/DeclaredPolicies';

/**
 * Records what plugins declare in backends from here on.
 *
 * @returns a function that expects the reader of packages to name all of that, or to say that it can't be told. It returns what the
 *   plugins have declared
 */
export function recordDeclared() {
  const watch = jest.spyOn(DeclaredPolicies.prototype, 'watch');
  return async (...names: string[]): Promise<DeclaredPolicy[]> => {
    const read = names.map(name => {
      const manifest = require.resolve(`${name}/package.json`, {
        paths: [process.cwd()],
      });
      return readPackage({ name, folder: path.dirname(manifest) });
    });
    const declared = uniq(watch.mock.contexts).flatMap(each => each.all());
    const unread = declared.filter(policy => {
      const isOf = (id = policy.plugin) => id.toLowerCase() === policy.plugin;
      const same = pick(policy, 'path', 'allow', 'isWebSocket');
      return !read.some(
        ({ doubts, opens, plugin }) =>
          (doubts.length > 0 && isOf(plugin)) ||
          opens.some(each => isOf(each.plugin) && isMatch(each, same)),
      );
    });
    expect(unread).toEqual([]);
    return declared;
  };
}
