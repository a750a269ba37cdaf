/** How often a replica reads which sessions others have ended. */
export const POLL_INTERVAL_MS = 2_000;
