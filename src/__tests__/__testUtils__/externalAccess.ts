import type { JsonObject } from '@backstage/types';

/**
 * Creates the entry of a static token in `backend.auth.externalAccess`.
 *
 * @param restrictions - each the id of a plugin, or an entry of `accessRestrictions`; without any, the token has none
 */
export const staticToken = (
  token: string,
  subject: string,
  ...restrictions: (string | JsonObject)[]
) => ({
  type: 'static',
  options: { token, subject },
  ...(restrictions.length > 0 && {
    accessRestrictions: restrictions.map(each =>
      typeof each === 'string' ? { plugin: each } : each,
    ),
  }),
});

/** Creates the configuration with these external tokens. */
export const accessWith = (...externalAccess: JsonObject[]) => ({
  backend: { auth: { externalAccess } },
});
