// The time, and the only timer there is: what judges health has none of its own.

export interface Clock {
  /** Milliseconds of a clock that nobody sets; fractions are allowed. */
  now(): number;
  /** Milliseconds since 1970. */
  wall(): number;
  /** Fires once, not before `milliseconds` have gone; what it returns takes it back. */
  setTimer(milliseconds: number, fire: () => void): () => void;
}
