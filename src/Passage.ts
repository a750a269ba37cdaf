import type { Request, Response } from 'express';
import type { CredentialKind } from './Decision';
import type { Policy } from './policy/Policy';

/** One request's way, as far as it has come. */
export interface Passage {
  req: Request;
  res: Response;
  /** The one that it began with: the request never sees a mix of two. */
  policy: Policy;
  /** What it is judged by. */
  credential: CredentialKind;
}
