// Time as this machine has it.

import type { Clock } from '../health/clock.ts';

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimer(milliseconds, fire) {
    const timer = setTimeout(fire, Math.max(0, Math.ceil(milliseconds)));
    return () => clearTimeout(timer);
  },
};
