import { formatLocation } from '../config/locate';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import type { LimitedRequest } from '../policy/TokenLimits';
import { isPrintable, printable, shorten } from '../util/logLine';
import { withEnd } from './describePolicy';
import type { Explained, ExplainedGate } from './explainInWords';
import { formatToken } from './formatPolicyReport';

const MAX_SUBJECT_LENGTH = 1_000;

const ANSWERS = {
  'public-reader':
    'refused with 403 (restricted): a rule has it as a public reader, and no request may present it',
  restricted: 'refused with 403 (restricted): no only has it',
  'token-ended': 'refused with 401 (token-ended)',
};

/**
 * Explains what comes of a request with a valid token of a subject: Backstage's `accessRestrictions` decide first, and then
 * `auth.apiGate.tokens`.
 */
export function explainToken(
  subject: string,
  request: LimitedRequest,
  { externalSubjects, isPublicReader, locate, policy }: ExplainedGate,
): Explained {
  if (
    subject.length > MAX_SUBJECT_LENGTH ||
    !isPrintable(subject) ||
    !externalSubjects.isPossible(subject)
  ) {
    return {
      error: `No external token can have the subject ${shorten(printable(subject), MAX_SUBJECT_LENGTH)}: compare it with backend.auth.externalAccess`,
    };
  }
  const { pluginId } = request;
  const entries = externalSubjects.tokens.filter(
    token => token.subject === subject,
  );
  const excluding = entries.filter(
    ({ plugins = [] }) => plugins.length > 0 && !plugins.includes(pluginId),
  );
  const reason = isPublicReader(subject)
    ? 'public-reader'
    : policy.tokenLimits.findRefusal(subject, request);
  const isExcluded =
    excluding.length > 0 && excluding.length === entries.length;
  const otherwise = isExcluded
    ? 'refused with 403 (restricted)'
    : 'passes the gate';
  const lines = [
    `With a token of ${subject}: ${reason ? ANSWERS[reason] : otherwise}`,
    ...excluding.map(
      ({ at }) =>
        `  refused with 403 (restricted): the accessRestrictions of ${at} leave ${pluginId} out`,
    ),
    ...policy.config.tokens.flatMap((entry, i) => {
      if (entry.subject !== subject) {
        return [];
      }
      const name = `${CONFIG_KEY}.tokens[${i}]`;
      const place = locate(name);
      return `  ${name}  ${formatToken(withEnd(entry, policy.now()))}${place ? `  (${formatLocation(place)})` : ''}`;
    }),
  ];
  return { lines };
}
