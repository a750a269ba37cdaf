/**
 * Creates a clock that never goes back, in milliseconds since 1970. If the clock of the machine is set back, it stands still
 * until that clock is there again, so that nothing that has ended begins anew.
 */
export function createForwardClock(): () => number {
  let latest = -Infinity;
  return () => {
    latest = Math.max(latest, Date.now());
    return latest;
  };
}
