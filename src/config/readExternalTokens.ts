import type { Config } from '@backstage/config';
import { isObject } from './values';

/** An entry of `backend.auth.externalAccess` whose tokens all have one subject. */
export interface ExternalToken {
  subject: string;
  /** Whether `accessRestrictions` name the plugins that it may call. */
  isRestricted: boolean;
}

/**
 * Returns the subjects that the configuration names. The subjects of a `jwks` entry are in its tokens. Backstage itself checks
 * these settings, so this function leaves out what it can't read.
 */
export function readExternalTokens(rootConfig: Config): ExternalToken[] {
  const entries = rootConfig.getOptional('backend.auth.externalAccess');
  return (Array.isArray(entries) ? entries : []).flatMap((entry: unknown) => {
    const { options, accessRestrictions } = isObject(entry) ? entry : {};
    const subject = isObject(options) ? options.subject : undefined;
    return typeof subject === 'string' && subject !== ''
      ? [{ subject, isRestricted: accessRestrictions !== undefined }]
      : [];
  });
}
