import { CLOCK_SKEW_SECONDS, LONGEST_SESSION_SECONDS, now } from './Revocation';

/**
 * The clock of the issuers of tokens, as far as verified tokens show it. A sign-out everywhere by this replica's clock alone
 * would leave the tokens of an issuer whose clock is ahead.
 */
export class IssuerClock {
  /** Seconds by which an issuer was ahead. */
  #lead = 0;
  /** Until when it is remembered: a token lives at most so long. */
  #until = 0;

  /** Takes notice of a verified token's `iat`. At most the tolerated skew is believed. */
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

  /** Seconds since the epoch, by this clock or the one that is ahead. */
  now(): number {
    const here = now();
    return here <= this.#until ? here + this.#lead : here;
  }
}
