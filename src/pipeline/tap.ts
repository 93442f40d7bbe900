// What the pipeline needs of a capture: two flags to test, and calls that happen only while someone looks.

import type { Verdict } from '../core/drop-reason.ts';
import type { Frame } from '../packet/frame.ts';

export const Direction = { inbound: 1, outbound: 2 } as const;

export interface Tap {
  /** True while passing frames of any object are captured. */
  readonly passing: boolean;
  /** True while dropped frames are captured. */
  readonly dropped: boolean;
  /** Offers a frame that passes the object of `row`; the tap decides whether anyone asked for it. */
  recordPass(frame: Frame, row: number, direction: number): void;
  recordDrop(frame: Frame, why: Verdict, row: number): void;
}

/** The tap of a data plane that nobody looks at. */
export class NullTap implements Tap {
  readonly passing = false;
  readonly dropped = false;

  recordPass(): void {
    // Nobody looks.
  }

  recordDrop(): void {
    // Nobody looks.
  }
}
