import type { Page } from 'puppeteer-core';
import { REFUSALS } from '../../../src/gate/Refusal';
import type { Checks } from '../chromium/Checks';
import type { AttackForm } from './attacker';
import { signIn, World } from './World';

export const ENCTYPES = [
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/plain',
];
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
export async function checkForms(page: Page, checks: Checks, world: World) {
  const { url, attacker, during, setRuleOff } = world;
  const post = async (form: AttackForm) => {
    attacker.show(form);
    await page.goto(attacker.origin);
    return during(() =>
      Promise.all([page.waitForNavigation(), page.click('button')]),
    );
  };
  await signIn(page, url);
  for (const form of FORMS) {
    const { site, origin, ...others } = await post(form);
    const shown = await page.evaluate(() => document.body.innerText);
    checks.equal(
      `${describe(form)}: sent with ${site} and ${origin}`,
      {
        ...others,
        isCrossSite: shown.includes(REFUSALS['cross-site'].message),
      },
      { cookie: true, status: 403, ran: false, isCrossSite: true },
    );
  }

  setRuleOff(true);
  try {
    checks.equal(
      `control: the rule is off, ${describe(DISGUISED)}`,
      await post(DISGUISED),
      { site: 'none', origin: 'null', cookie: true, status: 200, ran: true },
    );
  } finally {
    setRuleOff(false);
  }
}

function describe({ enctype, policy, redirect }: AttackForm): string {
  const named = (text: string) => text || 'default policy';
  const way = redirect
    ? `${redirect.status} with ${named(redirect.policy)}`
    : 'no redirect';
  return `${enctype}, page with ${named(policy)}, ${way}`;
}
