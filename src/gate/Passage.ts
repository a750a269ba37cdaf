import type { Request, Response } from 'express';
import type { UpgradePassage } from './authenticateUpgrade';

/** One request's way, as far as it has come. */
export interface Passage extends UpgradePassage {
  req: Request;
  res: Response;
  /** Whether the gate itself has answered, so that no handler may. */
  isAnswered?: boolean;
  /** What the request's `Cookie` header holds of the gate's cookie when it goes on. Default: nothing. */
  forwardedCookie?: 'as it came' | { token: string };
}
