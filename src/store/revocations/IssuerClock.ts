import {
  CLOCK_SKEW_SECONDS,
  LONGEST_SESSION_SECONDS,
  now,
} from '../../gate/sessions/Revocation';

/**
 * Tracks how far the clock of a token issuer is ahead, from the `iat` of verified tokens. A sign-out everywhere that used only
 * this replica's clock would leave the tokens of such an issuer valid.
 */
export class IssuerClock {
  /** The lead of the fastest issuer, in seconds. */
  #lead = 0;
  /** The time at which the token that has shown the lead expires. */
  #until = 0;

  /** Records a verified token. The lead is capped at the tolerated clock skew, and how long it lasts at the longest session. */
  observe({ iat = 0, exp = 0 }: { iat?: number; exp?: number }): void {
    const here = now();
    const lead = Math.min(iat - here, CLOCK_SKEW_SECONDS);
    if (lead > 0 && (lead >= this.#lead || here > this.#until)) {
      this.#lead = lead;
      this.#until = Math.min(exp, here + LONGEST_SESSION_SECONDS);
    }
  }

  /** Returns the seconds since the epoch, by this replica's clock or by the issuer's clock if that is ahead. */
  now(): number {
    const here = now();
    return here <= this.#until ? here + this.#lead : here;
  }
}
