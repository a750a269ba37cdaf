import type { JsonObject } from '@backstage/types';
import { parse } from 'yaml';
import { blocksAfter } from '../../../src/__tests__/__testUtils__/documents';

const PAGE = 'docs/recipes/rhdh.md';

/** The commands of the page: what they install, and what they export. */
export const [installing] = blocksAfter(PAGE, '1. Export the gate', 'sh');

/** The entry of `dynamic-plugins.yaml`. */
export const [entry]: { package: string; pluginConfig: JsonObject }[] = parse(
  blocksAfter(PAGE, '2. Add it to dynamic-plugins.yaml')[0],
).plugins;

const { upstream } = parse(
  blocksAfter(PAGE, '3. Let the gate replace services')[0],
);

/** The variables of the container. */
export const VARIABLES: Record<string, string> = Object.fromEntries(
  upstream.backstage.extraEnvVars.map(
    ({ name, value }: { name: string; value: string }) => [name, value],
  ),
);
