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
  /** The time at which the lead is forgotten, after the longest lifetime of a token. */
  #until = 0;

  /** Records a verified token's `iat`. The lead is capped at the tolerated clock skew. */
  observe(iat: number | undefined): void {
    const here = now();
    if (iat === undefined || iat <= here) {
      return;
    }
    const lead = Math.min(iat - here, CLOCK_SKEW_SECONDS);
    if (lead >= this.#lead || here > this.#until) {
      this.#lead = lead;
      this.#until = here + LONGEST_SESSION_SECONDS;
    }
  }

  /** Returns the seconds since the epoch, by this replica's clock or by the issuer's clock if that is ahead. */
  now(): number {
    const here = now();
    return here <= this.#until ? here + this.#lead : here;
  }
}
