import { Judgement, Kind, Place, rowOf, State, TOKENS } from './states';

/** "What a token turns out to be": what follows where it authenticates, may be read, and signs out. */
const ROWS: Record<string, [string | undefined, string, string]> = {
  J0: ['failed', 'refused', 'refused'],
  J1: ['starting', 'refused', 'refused'],
  T1: ['invalid-token', 'refused', 'nothing'],
  T2: ['invalid-token', 'passes', 'nothing'],
  T4: ['invalid-token', 'passes', 'nothing'],
  T5: ['keys-unavailable', 'passes', 'refused'],
  T6: ['keys-unavailable', 'refused', 'refused'],
  T7: ['restricted', 'passes', 'nothing'],
  T8: ['keys-unavailable', 'passes', 'refused'],
  T9: ['invalid-token', 'passes', 'nothing'],
  T10: ['untrusted-issuer', 'refused', 'nothing'],
  T11: ['token-ended', 'refused', 'nothing'],
  T12: ['restricted', 'refused', 'nothing'],
  T13: ['invalid-token', 'refused', 'nothing'],
  T15: ['revoked', 'refused', 'revoked'],
  T16: ['revocations-unavailable', 'refused', 'revoked'],
  T17: [undefined, 'passes', 'revoked'],
};
/** The rows after which an upgrade tries no other token: of its state, or Backstage verifies it, and trusts its issuer. */
const LAST = /^(J[01]|T1[1-7])$/;
const isCookie = (place = '') => /cookie/i.test(place);
const is401 = (reason = '') =>
  !/fail|starting|unav|restr|cross|unsafe|repeat/.test(reason);

/** Finds the row of a token, which states.ts names. `unread` is by the columns "May be read" and "Cookie P6". */
function turnOut(place: Place, kind: Kind, state: State) {
  const isJwt = !/^(text|restr|odd|ended|narrow|external)/.test(kind);
  const isOfUser = isJwt && !/^(other|legacy|jwks)|service$|caller$/.test(kind);
  const isJ1 = state.plugin === 'auth down' && isOfUser;
  const listed = rowOf(kind, state);
  const row = isJ1 && !/^T[12]$/.test(listed) ? 'J1' : listed;
  const [reason, reader] = ROWS[row];
  const isForeign = kind.endsWith('foreign');
  const isInForce = state.isListLoaded && !/session|revoked$/.test(kind);
  const isP6 = place === 'userCookie';
  const isAsked = state.door !== 'request' && !isP6;
  const passes =
    reader === 'passes' ||
    (row === 'T6' && isForeign && isInForce) ||
    (row === 'T16' && isP6 && state.mode === 'report-only') ||
    (row !== 'T1' && isOfUser && isInForce && !isForeign && !isAsked) ||
    (!isOfUser && (isP6 || !kind.endsWith('external')));
  const unread = passes ? undefined : reason;
  // Also one that report-only lets pass while the list is not loaded.
  const isSession = isOfUser ? /^T1[67]$/ : /^T17$/;
  const hasEnd = isSession.test(row) && (isOfUser || kind.endsWith('external'));
  return { place, kind, row, reason, unread, isJwt, isOfUser, hasEnd };
}
type Token = ReturnType<typeof turnOut>;
/** Returns a token as it authenticates or signs out: T9 if its place can't hold it. */
function restrictToPlace(token: Token): Token {
  const { isJwt, isOfUser, kind, place, row } = token;
  const canHold =
    (!kind.startsWith('limited') || place === 'userCookie') &&
    (!isCookie(place) || (isOfUser && !kind.startsWith('service')));
  const isT9 = !canHold && (!isJwt || (row !== 'J1' && LAST.test(row)));
  return isT9 ? { ...token, row: 'T9', reason: 'invalid-token' } : token;
}

/** "The route", where upgrades have V3 and V4 alone, and "Where a token can be". */
function read(state: State) {
  const { authorization: sent, header, plugin, protocols, route } = state;
  const isUpgrade = state.door !== 'request';
  const isOpened = route === 'rule' && !/^no/.test(state.door);
  const way =
    (isOpened && 'allow-rule') ||
    (!isUpgrade && /^(nature|keys)$/.test(route) && 'built-in-public') ||
    (!isUpgrade && route === 'sign-out' ? route : 'protected');
  const isHere = !/absent|remote/.test(plugin);
  const isForeign = isHere && way === 'protected' && /^f|rule/.test(route);
  const hasP1 = header !== undefined && header !== 'absent';
  const isOdd = /^(basic|cut bearer)/.test(sent);
  const isBound = hasP1 || isForeign || (!!header && /^basic/.test(sent));
  const at = (place: Place, kind = '') =>
    kind in TOKENS ? [turnOut(place, kind as Kind, state)] : [];
  const p2or3 = at('authorization', sent.replace(/^.* with /, ''));
  const [first, ...others] = protocols;
  const rest = others.flatMap(kind => at('protocol 1', kind));
  const inProtocols = [...at('protocol 0', first), ...rest];
  const [p1, p2] = [at('header', header), isBound || isOdd ? [] : p2or3];
  const p4 = isUpgrade ? inProtocols : [];
  const p5 = at('cookie', state.cookie);
  const p6 = at('userCookie', state.userCookie);
  const everywhere = [...p2or3, ...inProtocols, ...p1, ...p5, ...p6];
  return {
    state,
    ...{ isUpgrade, way, isForeign, isBound, p1, p2, p4, p5, p6 },
    isProtected: way === 'protected',
    isOpen: way !== 'protected' && way !== 'sign-out',
    everywhere: plugin === 'not registered' ? [] : everywhere,
    isNoToken: isOdd && !isBound,
    isBearer: !isOdd && p2or3.length > 0,
    protocolsToTry: hasP1 || isForeign ? [] : p4,
    hasCookies: !hasP1 && (isBound || sent === 'absent'),
    elsewhere: [...(isBound ? p2or3 : []), ...(isForeign ? p4 : [])],
    hasP6: state.userCookie !== 'absent',
    keepsP6: p6.some(({ unread }) => !unread),
  };
}
type Request = ReturnType<typeof read>;
/** Tokens that may be read: those of users, and others. */
function refuseReaders(tokens: Token[]) {
  return (
    tokens.find(({ isOfUser, unread }) => isOfUser && unread)?.unread ??
    tokens.find(({ unread }) => unread)?.unread
  );
}
/** The judgement before the modes: `reason` is of a refusal, and `by` the place that authenticated or is refused. */
type Finding = Partial<Judgement> & { by?: Place; sessions?: number };
/** J2 to J10 of a protected route. */
function authenticate(request: Request): Finding {
  const { hasCookies, isUpgrade, protocolsToTry: p4, state } = request;
  const isDeclared = state.route === 'cookie path';
  const isP6 = state.cookie === 'absent' && isDeclared && !isUpgrade;
  const by = isP6 ? 'userCookie' : 'cookie';
  const isJ5 = hasCookies && p4.length === 0 && state[by] === 'conflict';
  const early =
    (state.authorization === 'two' && 'repeated-authorization') ||
    (state.header === 'malformed' && 'invalid-token') ||
    (request.isNoToken && p4.length === 0 && 'unsupported-scheme');
  if (early || isJ5) {
    return early ? { reason: early } : { reason: 'conflicting-cookies', by };
  }
  const isTrusted = state.isTrusted && state.route !== 'cookie endpoint';
  const isJ9 = state.isCode && !isUpgrade && !isDeclared && !isTrusted;
  const refusal =
    (state.isCrossSite && 'cross-site') || (isJ9 && 'unsafe-destination');
  const areRead = hasCookies && !p4.some(({ isJwt }) => isJwt);
  const cookies = areRead ? request[isP6 ? 'p6' : 'p5'] : [];
  const tokens = [...request.p1, ...p4, ...request.p2, ...cookies].map(token =>
    refusal && isCookie(token.place)
      ? { ...token, row: 'J8', reason: refusal }
      : restrictToPlace(token),
  );
  const first = refuseReaders(request.p4.slice(0, 1));
  const none = { place: undefined, reason: 'missing-credentials' };
  const last = tokens.find(({ row }) => LAST.test(row));
  const other = last ?? tokens.find(({ reason }) => !is401(reason));
  const decisive = other ?? tokens.at(-1) ?? none;
  return {
    reason: decisive.reason ?? first,
    by: decisive.place,
    sessions: last?.hasEnd ? 1 : 0,
  };
}

/** A9: the sessions of the tokens that are verified before the first that is refused, with that one. */
function countSessions(tokens: Token[]): number {
  const users = tokens.filter(({ isOfUser }) => isOfUser);
  const others = tokens.filter(({ isOfUser }) => !isOfUser);
  const isEnd = refuseReaders(users) !== undefined;
  const looked = isEnd ? users : [...users, ...others];
  const refused = looked.findIndex(({ unread }) => unread);
  return looked
    .slice(0, refused < 0 ? undefined : refused + 1)
    .filter(({ hasEnd }) => hasEnd).length;
}

/** J8, J10 and A2 of a sign-out. */
function signOut({ p1, p2, p5, state }: Request): Finding {
  const { cookie, isCrossSite, mode, plugin, scope, unstored } = state;
  const tokens = [...p5, ...p1, ...p2].map(restrictToPlace);
  const all = tokens.filter(({ row }) => ROWS[row][2] === 'refused');
  const refused = all.find(({ row }) => row.startsWith('J')) ?? all[0];
  const isJ8 = isCrossSite && cookie !== 'absent';
  const reason = isJ8 ? 'cross-site' : refused?.reason;
  const ended = (
    /^(cross|failed|start)/.test(reason ?? '') ? [] : tokens
  ).filter(token => token.isOfUser && ROWS[token.row][2] === 'revoked');
  const placesOf = (some: Token[]) => some.map(({ place }) => place).sort();
  const revokes = placesOf(ended);
  const isListed = ({ kind }: Token) => /revoked$/.test(kind);
  const revokesUsers =
    scope === 'user' ? placesOf(ended.filter(each => !isListed(each))) : [];
  const isJ12 =
    revokes.some(place => place === unstored) ||
    (unstored === 'users' && revokesUsers.length > 0);
  const isKnown = tokens.some(({ row }) => row === 'T17');
  const isElsewhere = /^(own|absent|remote)/.test(plugin);
  const isA2 =
    mode === 'enforce'
      ? isElsewhere && !isKnown
      : !isElsewhere && ended.some(({ place }) => !isCookie(place));
  return {
    reason: isJ12 ? 'sign-out-not-stored' : reason,
    answers: isA2 ? 204 : undefined,
    revokes,
    revokesUsers,
  };
}

/** "The judgement", and A1. */
function find(request: Request): Finding {
  const { isProtected, isUpgrade, p1, p2, p4, state } = request;
  const { plugin, route } = state;
  const isDown = plugin === 'down' && (isProtected || isUpgrade);
  const early =
    ((isDown || plugin === 'not registered') && 'starting') ||
    (p4.concat(p2, isProtected ? [] : p1).length > 5 && 'too-many-tokens');
  if (early || request.way === 'sign-out') {
    return early ? { reason: early } : signOut(request);
  }
  const keys = { own: 200, absent: 404 } as const;
  const isA1 = route === 'keys' && state.mode === 'enforce';
  const answers = isA1 ? keys[plugin as 'own'] : undefined;
  const found: Finding = isProtected
    ? authenticate(request)
    : {
        reason: refuseReaders([...p4, ...p1, ...p2]),
        sessions: countSessions([...p4, ...p1, ...p2]),
        answers,
      };
  const isJ11 = request.elsewhere.some(
    ({ isJwt, kind }) => isJwt && !/^(other|legacy|jwks)/.test(kind),
  );
  return isJ11 && !found.reason
    ? { ...found, reason: 'invalid-token', by: undefined }
    : found;
}

/** "The modes", and A3. */
function refuse(request: Request, found: Finding): Judgement {
  const { by, reason = '' } = found;
  const { isOpen, isProtected, isUpgrade, state, way } = request;
  const isM2 = /^(revoked|sign-out-not-stored)$/.test(reason);
  const goesOn = state.mode !== 'enforce' && !isM2;
  const clears = isProtected
    ? !goesOn && isCookie(by) && is401(reason)
    : way === 'sign-out' && !/failed|starting|cross|installed/.test(reason);
  const isAuthDown = state.plugin === 'auth down';
  const isAsCame = !isOpen || (reason === 'starting' && !isAuthDown);
  return {
    outcome: goesOn ? 'would-refuse' : 'refused',
    reason,
    reads: goesOn && request.isBearer ? 'authorization' : undefined,
    hasUserCookie: goesOn && (isAsCame ? request.hasP6 : request.keepsP6),
    clears: clears && state.cookie !== 'absent' && state.door !== 'upgrade',
    issues: false,
    isMarked: false,
    revokes: found.revokes ?? [],
    revokesUsers: found.revokesUsers ?? [],
    ends: goesOn && isUpgrade ? 1 + (found.sessions ?? 0) : 0,
  };
}

/** J14, and "What is carried out". */
function pass(request: Request, found: Finding): Judgement {
  const { isProtected, isUpgrade, p1, p2, p4, state, way } = request;
  const { answers } = found;
  const own = request.everywhere.filter(({ place }) => place === found.by);
  const handed = isProtected ? own : [...p1, ...p2];
  const staying = request.isBound || p2.length > 0 ? /user/ : /user|protocol/;
  const given = handed.find(({ place }) => !answers && !staying.test(place));
  const heard = isProtected ? own : [...handed, ...p4];
  const cookies = { cookie: 'cookie', userCookie: 'user-cookie' };
  const by = cookies[found.by as 'cookie'] ?? 'bearer';
  const isUsers = isProtected && own[0].kind === 'user';
  const isKept = !answers && !(isProtected && (isUpgrade || request.isForeign));
  const isAsCame = !request.isOpen && state.route !== 'cookie endpoint';
  return {
    outcome: 'passed',
    reason: isProtected ? by : way,
    answers,
    reads: given?.place,
    hasUserCookie: isKept && (isAsCame ? request.hasP6 : request.keepsP6),
    clears: way === 'sign-out' && state.cookie !== 'absent',
    issues: isUsers && by === 'bearer' && !isUpgrade && !state.isCrossSite,
    isMarked: isUsers && /absent|remote/.test(state.plugin),
    revokes: found.revokes ?? [],
    revokesUsers: found.revokesUsers ?? [],
    ends: isUpgrade ? heard.filter(({ hasEnd }) => hasEnd).length : 0,
  };
}

/** Judges a state by src/gate/README.md. */
export function judge(state: State): Judgement {
  const request = read(state);
  const found = find(request);
  return (found.reason ? refuse : pass)(request, found);
}
