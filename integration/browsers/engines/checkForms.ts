import { REFUSALS } from '../../../src/gate/Refusal';
import { until } from '../../http';
import type { Checks } from '../chromium/Checks';
import type { Engine, Tab } from './Browser';
import { ENCTYPES } from './kinds';
import { Exchange, HOOK, signIn, World } from './World';

/** A form of another party's page. An empty policy is the browser's default. */
interface AttackForm {
  enctype: string;
  /** The `Referrer-Policy` of the page. */
  policy: string;
  /** The other party's redirect that leads the form's request to the backend, and its `Referrer-Policy`. */
  redirect?: { status: number; policy: string };
}

const POLICIES = ['', 'no-referrer'];
const REDIRECTS = [307, 308].flatMap(status =>
  POLICIES.map(policy => ({ status, policy })),
);
const FORMS: AttackForm[] = ENCTYPES.flatMap(enctype =>
  POLICIES.flatMap(policy =>
    [undefined, ...REDIRECTS].map(redirect => ({ enctype, policy, redirect })),
  ),
);

/** Firefox sends this form as if its user had typed the address. */
const DISGUISED: AttackForm = {
  enctype: ENCTYPES[0],
  policy: 'no-referrer',
  redirect: { status: 307, policy: 'no-referrer' },
};

/** Checks that no form of another party's page, sent by a click, changes anything as the user who is signed in. */
export async function checkForms(
  tab: Tab,
  checks: Checks,
  world: World,
  engine: Engine,
) {
  const { attacker, addressOf, during, setRulesOff } = world;
  const post = async (form: AttackForm): Promise<Exchange> => {
    const { enctype, policy, redirect } = form;
    const to = addressOf('form');
    attacker.show({
      policy,
      redirect: redirect && { ...redirect, to },
      body: `<form method="post" action="${redirect ? '/' : to}" enctype="${enctype}">
        <input name="a" value="b"><button>Post</button>
      </form>`,
    });
    await tab.open(attacker.origin);
    const [exchange] = await during(['form'], () => tab.click('button'));
    await until('the answer as a page', 10_000, async () =>
      (await tab.url()).includes(HOOK),
    );
    return exchange;
  };
  await signIn(tab, world);
  for (const form of FORMS) {
    const { site, origin, cookie, outcome } = await post(form);
    const isShown = await until('the refusal', 5_000, async () =>
      (await tab.evaluate(() => document.body?.innerText ?? '')).includes(
        REFUSALS['cross-site'].message,
      ),
    ).then(
      () => true,
      () => false,
    );
    checks.equal(
      `${describe(form)}: sent with ${site} and ${origin}`,
      {
        cookie,
        outcome,
        isShown,
      },
      { cookie: true, outcome: '403 cross-site', isShown: true },
    );
  }

  setRulesOff('all');
  const { site, origin, cookie, outcome } = await post(DISGUISED);
  setRulesOff('none');
  checks.equal(
    `control: the rules are off, ${describe(DISGUISED)}: sent with ${site}`,
    { isDisguised: site === 'none', origin, cookie, outcome },
    {
      isDisguised: engine === 'firefox',
      origin: 'null',
      cookie: true,
      outcome: 'ran',
    },
  );
}

function describe({ enctype, policy, redirect }: AttackForm): string {
  const named = (text: string) => text || 'default policy';
  const way = redirect
    ? `${redirect.status} with ${named(redirect.policy)}`
    : 'no redirect';
  return `${enctype}, page with ${named(policy)}, ${way}`;
}
