import {
  readExternalSubjects,
  readExternalTokens,
} from '../config/readExternalTokens';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import { withEnd } from '../observability/describePolicy';
import { formatToken } from '../observability/formatPolicyReport';
import { Policy } from '../policy/Policy';
import type { LimitedRequest } from '../policy/TokenLimits';
import { CliError } from './Command';
import type { LoadedConfig } from './loadConfig';
import { formatLocation } from './output';

/**
 * Explains what comes of a request with a valid token of a subject: Backstage's `accessRestrictions` decide first, and then
 * `auth.apiGate.tokens`.
 *
 * @throws CliError if no external token can have the subject
 */
export function explainToken(
  subject: string,
  request: LimitedRequest,
  { gate, locate, root }: LoadedConfig,
): string[] {
  if (!readExternalSubjects(root).isPossible(subject)) {
    throw new CliError(
      `No external token can have the subject ${subject}: compare it with backend.auth.externalAccess`,
    );
  }
  const { pluginId } = request;
  const entries = readExternalTokens(root).filter(
    token => token.subject === subject,
  );
  const excluding = entries.filter(
    token =>
      token.plugins &&
      token.plugins.length > 0 &&
      !token.plugins.includes(pluginId),
  );
  const reason = gate.allow.some(rule => rule.as === subject)
    ? 'public-reader'
    : new Policy(gate).tokenLimits.findRefusal(subject, request);
  const answers = {
    'public-reader':
      'refused with 403 (restricted): a rule has it as a public reader, and no request may present it',
    restricted: 'refused with 403 (restricted): no only has it',
    'token-ended': 'refused with 401 (token-ended)',
  };
  const isExcluded =
    excluding.length > 0 && excluding.length === entries.length;
  const otherwise = isExcluded
    ? 'refused with 403 (restricted)'
    : 'passes the gate';
  return [
    `With a token of ${subject}: ${reason ? answers[reason] : otherwise}`,
    ...excluding.map(
      ({ at }) =>
        `  refused with 403 (restricted): the accessRestrictions of ${at} leave ${pluginId} out`,
    ),
    ...gate.tokens.flatMap((entry, i) => {
      const place = locate(`${CONFIG_KEY}.tokens[${i}]`);
      return entry.subject === subject
        ? [
            `  ${CONFIG_KEY}.tokens[${i}]  ${formatToken(withEnd(entry))}${place ? `  (${formatLocation(place)})` : ''}`,
          ]
        : [];
    }),
  ];
}
