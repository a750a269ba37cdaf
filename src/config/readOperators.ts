import { InputError } from '@backstage/errors';
import { userKey } from '../revocation/Revocation';
import { isFullEntityRef } from '../util/entityRef';
import { readStringList } from './values';

/**
 * Reads `auth.apiGate.operators`: who may end the sessions of others and read the policy, in lower case.
 *
 * @throws InputError of one line that names the config path and what to write instead
 */
export function readOperators(
  value: unknown,
  configPath: string,
): ReadonlySet<string> {
  const refs = readStringList(value, configPath);
  refs.forEach((ref, i) => {
    if (!isFullEntityRef(ref)) {
      throw new InputError(
        `${configPath}[${i}] must be a full entity reference, such as group:default/platform or user:default/jane`,
      );
    }
  });
  return new Set(refs.map(userKey));
}
