// Times and spans as people read them in verdicts and warnings.

const DAY_MS = 24 * 3600_000;

/** `2026-01-02T03:04:05Z`. */
export function timeText(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

/** `12 days ago`. */
export function agoText(time: Date, now: Date): string {
  return `${spanText(now.getTime() - time.getTime())} ago`;
}

/** `in 12 days`. */
export function inText(time: Date, now: Date): string {
  return `in ${spanText(time.getTime() - now.getTime())}`;
}

/** Whole days that are left; negative afterwards. */
export function daysLeft(time: Date, now: Date): number {
  return Math.floor((time.getTime() - now.getTime()) / DAY_MS);
}

/** `3 days`, `5 hours`, `20 minutes`, `7 seconds`: rounded down. */
function spanText(span: number): string {
  const steps = [
    [DAY_MS, 'day'],
    [3600_000, 'hour'],
    [60_000, 'minute'],
    [1000, 'second'],
  ] as const;
  const [size, name] = steps.find(([step]) => span >= step) ?? steps[3];
  const count = Math.max(Math.floor(span / size), 0);
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}
