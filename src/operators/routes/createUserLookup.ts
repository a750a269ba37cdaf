import {
  CallServices,
  fetchFromPlugin,
} from '../../store/revocations/fetchFromPlugin';
import type { DatabaseConnections } from '../../store/DatabaseConnections';
import { withTimeout } from '../../gate/util/time';

const TIMEOUT_MS = 5_000;

/**
 * Creates the function that finds a user in the catalog, or among those to whom the `auth` plugin has issued a token. It returns whether
 * the user exists; `undefined` if that can't be found out now.
 */
export function createUserLookup(
  services: CallServices & { database: Pick<DatabaseConnections, 'run'> },
) {
  const hasSignedIn = async (userEntityRef: string): Promise<boolean> => {
    const rows = await services.database.run(knex =>
      // The table of the `auth` plugin with the users to whom it has issued a token.
      knex('user_info')
        .select('user_entity_ref')
        .whereRaw('lower(user_entity_ref) = ?', [userEntityRef])
        .limit(1),
    );
    return rows.length > 0;
  };
  const isInCatalog = async (userEntityRef: string): Promise<boolean> => {
    const body = { entityRefs: [userEntityRef], fields: ['kind'] };
    const path = '/entities/by-refs';
    const response = await fetchFromPlugin(services, 'catalog', path, { body });
    // There may be no catalog, and it may refuse what is no reference for it.
    if (!response.ok) {
      await response.body?.cancel();
      return false;
    }
    const { items } = await response.json();
    return items.some(Boolean);
  };
  return async (userEntityRef: string): Promise<boolean | undefined> => {
    const answers = await Promise.all(
      [hasSignedIn, isInCatalog].map(ask =>
        withTimeout(ask(userEntityRef), TIMEOUT_MS, 'No answer').catch(
          () => undefined,
        ),
      ),
    );
    if (answers.includes(true)) {
      return true;
    }
    return answers.includes(undefined) ? undefined : false;
  };
}
