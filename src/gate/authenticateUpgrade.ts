import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';
import type { GateCookie } from '../cookie/GateCookie';
import { isOfRevokedSession } from '../credentials/isOfRevokedSession';
import { readBearer } from '../credentials/readCredential';
import { readProtocols } from '../credentials/readProtocols';
import {
  readUpgradeTokens,
  assertFew,
  UpgradeToken,
} from '../credentials/readUpgradeTokens';
import {
  VerifiedCredential,
  VerifyOptions,
  verifyTimed,
} from '../credentials/verifyCredential';
import type { CredentialKind } from '../decision/Decision';
import type { TargetPlugin } from '../credentials/BackendPlugins';
import type { AllowRule } from '../config/AllowRule';
import type { Policy } from '../policy/Policy';
import { Refusal } from '../decision/Refusal';
import type { GateObserver } from '../decision/GateObserver';
import { WEBSOCKET } from '../http/requestMethod';
import { isUnambiguousPath } from '../http/requestTarget';
import { setRequestHeader } from '../http/setRequestHeader';
import { assertNotRevoked } from '../credentials/assertNotRevoked';
import type { Revocations } from '../revocation/Revocations';

/** What an upgrade is judged with. */
export interface UpgradeServices extends VerifyOptions {
  /** `undefined`: no cookie is read. */
  cookie: GateCookie | undefined;
  observer: GateObserver;
  revocations: Revocations;
}

/** One upgrade's way, as far as it has come. */
export interface UpgradePassage {
  req: IncomingMessage;
  /** The one that it began with: it never sees a mix of two. */
  policy: Policy;
  /** What it is judged by. */
  credential: CredentialKind;
}

/** What authenticated an upgrade. */
export interface AuthenticatedUpgrade {
  presented: UpgradeToken;
  verified: VerifiedCredential;
}

/** Why an upgrade may pass: a rule, or the credential that authenticated it. */
export type UpgradeReason =
  | { rule: AllowRule; judged?: undefined }
  | { rule?: undefined; judged: AuthenticatedUpgrade };

/**
 * Decides whether an upgrade may pass, wherever it arrives.
 *
 * @param path - below the plugin, where the upgrade is one to a WebSocket that a rule may name; else `undefined`
 * @throws Refusal if it may not
 */
export async function decideUpgrade(
  passage: UpgradePassage,
  plugin: TargetPlugin,
  path: string | undefined,
  options: UpgradeServices,
): Promise<UpgradeReason> {
  const { policy, req } = passage;
  await plugin.started();
  const rule =
    path !== undefined && isUnambiguousPath(path)
      ? policy.allowList.match(plugin.id, WEBSOCKET, path)
      : undefined;
  if (!rule) {
    return { judged: await authenticateUpgrade(passage, plugin, options) };
  }
  await refuseRevokedTokens(passage, plugin, options);
  options.cookie?.removeFrom(req);
  return { rule };
}

/** Refuses the tokens of revoked sessions on public paths too: a handler may read them. */
async function refuseRevokedTokens(
  { policy, req }: UpgradePassage,
  plugin: TargetPlugin,
  options: UpgradeServices,
): Promise<void> {
  const bearer = readBearer(req);
  const tokens = [...readProtocols(req), ...(bearer ? [bearer] : [])];
  assertFew(tokens);
  for (const token of tokens) {
    if (await isOfRevokedSession(token, plugin, policy, options)) {
      throw Refusal.revoked;
    }
  }
}

/**
 * Judges an upgrade to a WebSocket by its credential, wherever it arrives. Of one that a cookie authenticates, the request then
 * has the token as its `Authorization`; it never keeps the gate's cookies.
 *
 * @throws Refusal if it may not pass
 */
export async function authenticateUpgrade(
  passage: UpgradePassage,
  plugin: TargetPlugin,
  options: UpgradeServices,
): Promise<AuthenticatedUpgrade> {
  const { req } = passage;
  const { cookie, revocations } = options;
  const judged = await verifyFirst(
    readUpgradeTokens(req, cookie),
    passage,
    plugin,
    options,
  );
  // Of what has verified, no other one is tried: the caller has said who it is.
  assertNotRevoked(judged.verified, revocations);
  const { kind, token } = judged.presented;
  if (kind === 'cookie') {
    setRequestHeader(req, 'authorization', `Bearer ${token}`);
  }
  cookie?.removeFrom(req);
  return judged;
}

/** @throws Refusal if none verifies: one that is about this moment or this plugin, else the last */
async function verifyFirst(
  tokens: UpgradeToken[],
  passage: UpgradePassage,
  plugin: TargetPlugin,
  options: UpgradeServices,
): Promise<AuthenticatedUpgrade> {
  const refusals: Refusal[] = [];
  for (const presented of tokens) {
    passage.credential = presented.kind;
    try {
      const verified = await verify(presented, passage, plugin, options);
      return { presented, verified };
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      refusals.push(error);
    }
  }
  throw refusals.find(({ isFinal }) => !isFinal) ?? refusals.at(-1);
}

async function verify(
  presented: UpgradeToken,
  { req, policy }: UpgradePassage,
  plugin: TargetPlugin,
  options: UpgradeServices,
): Promise<VerifiedCredential> {
  // The answer of a handshake is for any origin to read, so that the cookie counts for listed ones only.
  if (presented.kind === 'cookie' && policy.isCrossSite(req)) {
    throw Refusal.crossSite;
  }
  // On a stand-in, as an offered protocol is no header that `httpAuth` reads, and it remembers one answer per request.
  const standIn = {
    headers: { authorization: `Bearer ${presented.token}` },
  } as Request;
  return verifyTimed(standIn, plugin, presented, policy, options);
}
