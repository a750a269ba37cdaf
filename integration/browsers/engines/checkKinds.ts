import type { Checks } from '../chromium/Checks';
import { sleep, until } from '../../http';
import type { Engine, Tab } from './Browser';
import { ENCTYPES, Kind, KINDS } from './kinds';
import { Exchange, HOOK, HOST_NAME, signIn, World } from './World';

/** In this time, a page sends what it should not. */
const SETTLE_MS = 500;

const RAN = 'ran';
const CODE = '403 unsafe-destination';
const OTHER = '403 cross-site';
/** No request, or none with the cookie. */
const NOTHING = 'nothing';

type From = 'own' | 'other';

/** What comes of a request that the frontend's own page makes the browser send, and a page of another origin. */
const OUTCOMES: Record<Kind['sort'], Record<From, string>> = {
  content: { own: RAN, other: RAN },
  code: { own: CODE, other: CODE },
  'code of its own': { own: CODE, other: NOTHING },
  'code by CORS': { own: CODE, other: OTHER },
  read: { own: RAN, other: OTHER },
  change: { own: RAN, other: OTHER },
  own: { own: RAN, other: NOTHING },
};

type Different = Partial<Record<From, string[]>>;
const NEVER: Different = { own: [NOTHING], other: [NOTHING] };
/** What comes of a kind in one engine instead. docs/browsers-and-cookies.md has what a user may notice of it. */
const DIFFERENT: Record<Engine, Record<string, Different>> = {
  chromium: {},
  firefox: {
    // It waits until the browser is idle.
    prefetch: { own: [RAN, NOTHING], other: [RAN, NOTHING] },
    'paint worklet': NEVER,
    'preload, font': { other: [NOTHING] },
    'preload, font, no-cors': { other: [NOTHING] },
    'preload, track, no-cors': NEVER,
    ping: NEVER,
    // The same headers as of an attack: `none` and `null`.
    'form by a click, by 307': { own: [OTHER] },
    'form by a click, by 308': { own: [OTHER] },
  },
  webkit: {
    prefetch: NEVER,
    track: NEVER,
    'paint worklet': NEVER,
    // With a cookie of `SameSite=None` only.
    XSLT: { own: [CODE, NOTHING] },
    // By the mode `no-cors`, with the cookie and without `Origin`.
    font: { other: [OTHER] },
    'track, no-cors': { other: [OTHER] },
    'shape-outside': NEVER,
  },
};

/** Checks what comes of each kind of request with the cookie that a page of the frontend, and one of another origin, can have sent. */
export async function checkKinds(
  tab: Tab,
  checks: Checks,
  world: World,
  engine: Engine,
) {
  const { attacker, url, setRulesOff } = world;
  const allowed = ({ sort, title, way }: Kind, from: From): string[] => {
    const outcomes = DIFFERENT[engine][title]?.[from] ?? [OUTCOMES[sort][from]];
    // To another site, Chromium (in such a profile) and mostly Firefox send the cookie with the pages alone that a page leads to.
    const isPage = way && title !== 'ping';
    const isThirdParty = from === 'other' && attacker.isCrossSite && !isPage;
    return isThirdParty && engine !== 'webkit'
      ? [...outcomes, NOTHING]
      : outcomes;
  };
  const check = async (from: From, isRuleOff = false) => {
    setRulesOff(isRuleOff ? 'all' : 'none');
    const exchanges = await exchangesFrom(
      from === 'own' ? url : attacker.origin,
      { tab, world, isSent: kind => !allowed(kind, from).includes(NOTHING) },
    );
    setRulesOff('none');
    for (const kind of KINDS) {
      const sent = exchanges.filter(({ title }) => title === kind.title);
      const seen = outcomeOf(sent);
      const expected = allowed(kind, from).map(outcome =>
        isRuleOff && outcome !== NOTHING ? RAN : outcome,
      );
      checks.that(
        `${isRuleOff ? 'control: the rules are off, ' : ''}${kind.title}, ${from} origin, sent with ${describe(sent)}: expected ${expected.join(' or ')}`,
        expected.includes(seen),
        seen,
      );
    }
  };
  await signIn(tab, world);
  await check('own');
  await check('other');
  await check('other', true);

  const typed = await world.during(['typed'], () =>
    tab.open(world.addressOf('typed')),
  );
  checks.equal('a typed address', outcomeOf(typed), RAN);
}

/** Checks what docs/browsers-and-cookies.md says of plain http, where browsers send no `Sec-Fetch-Site`. */
export async function checkHostName(
  tab: Tab,
  checks: Checks,
  world: World,
  engine: Engine,
) {
  const url = `http://${HOST_NAME}:${world.port}`;
  await signIn(tab, world, url);
  const withoutCors =
    engine === 'chromium'
      ? { origin: url, outcome: RAN }
      : { origin: 'null', outcome: OTHER };
  const expected: Record<string, Pick<Exchange, 'origin' | 'outcome'>> = {
    'fetch POST': { origin: url, outcome: RAN },
    'fetch POST, no-cors': withoutCors,
    sendBeacon: withoutCors,
    [`form, ${ENCTYPES[0]}`]: { origin: 'null', outcome: OTHER },
  };
  const exchanges = await exchangesFrom(url, {
    ...{ tab, world },
    isSent: ({ title }) => title in expected,
  });
  for (const [title, { origin, outcome }] of Object.entries(expected)) {
    checks.equal(
      title,
      exchanges.find(each => each.title === title),
      { title, site: undefined, origin, cookie: true, outcome },
    );
  }
}

/** Checks what docs/rollout.md says of WebKit on http://localhost. */
export async function checkUpgrade(
  tab: Tab,
  checks: Checks,
  { url, show, addressOf, during }: World,
  engine: Engine,
) {
  // WebKit upgrades what follows on the page, too.
  for (const policy of ["img-src 'self'", 'upgrade-insecure-requests']) {
    const isLost = engine === 'webkit' && policy.startsWith('upgrade');
    show(
      `<meta http-equiv="Content-Security-Policy" content="${policy}"><img src="${addressOf('image')}">`,
    );
    const exchanges = await during(isLost ? [] : ['image'], async () => {
      await tab.open(`${url}/`);
      await sleep(SETTLE_MS);
    });
    checks.equal(
      `an image of a page with ${policy}`,
      exchanges.length,
      isLost ? 0 : 1,
    );
  }
}

/** Opens a page of an origin with those kinds that need no page of their own, and one with each other kind that is sent. */
async function exchangesFrom(
  origin: string,
  {
    tab,
    world: { attacker, url, show, addressOf, during },
    isSent,
  }: { tab: Tab; world: World; isSent: (kind: Kind) => boolean },
): Promise<Exchange[]> {
  const target = origin === attacker.origin ? url : origin;
  const send = (kinds: Kind[], way?: Kind['way']) => {
    const body = kinds
      .map(kind => kind.body(addressOf(kind.title, target)))
      .join('\n');
    show(body);
    attacker.show({ body });
    const titles = kinds.filter(isSent).map(({ title }) => title);
    return during(titles, async () => {
      await tab.open(`${origin}/`);
      if (!way) {
        await sleep(SETTLE_MS);
        return;
      }
      if (way !== 'page') {
        await tab.click('a, button');
      }
      if (way !== 'click') {
        await until('the page that this one leads to', 10_000, async () =>
          (await tab.url()).includes(HOOK),
        );
      }
    });
  };
  const exchanges = await send(KINDS.filter(({ way }) => !way));
  for (const kind of KINDS.filter(({ way }) => way).filter(isSent)) {
    exchanges.push(...(await send([kind], kind.way)));
  }
  return exchanges;
}

/** Returns what came of a kind's requests with the cookie. */
function outcomeOf(sent: Exchange[]): string {
  const outcomes = sent
    .filter(({ cookie }) => cookie)
    .map(({ outcome }) => outcome);
  return [...new Set(outcomes)].join(', ') || NOTHING;
}

function describe([first]: Exchange[]): string {
  return first
    ? `${first.site} and ${first.origin}${first.cookie ? '' : ', without the cookie'}`
    : 'nothing';
}
