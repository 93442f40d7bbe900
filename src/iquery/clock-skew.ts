// How far a peer's clock is from this machine's, from heartbeats that it answers: its time was read somewhere within the way there and back.

/** What is worth a word: certificates and configurations are judged by the time. */
export const SKEW_LIMIT_MS = 5000;
/** A clock that was wrong is right again below this, so that one at the limit is not spoken of at every heartbeat. */
const RIGHT_MS = 4000;

export class ClockSkew {
  /** The last heartbeat that was sent: what it said, and when. */
  #sentTime = NaN;
  #sentAt = 0;
  #skewMs: number | undefined;
  #roundTripMs: number | undefined;
  #isWrong = false;

  /** Positive: the peer is ahead. Right up to half a round trip. */
  get skewMs(): number | undefined {
    return this.#skewMs;
  }

  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  sent(time: number, now: number): void {
    this.#sentTime = time;
    this.#sentAt = now;
  }

  /** A heartbeat of the peer: `wall` and `now` are this machine's. What it says that is news, if it does. */
  heard(time: number, echo: number | undefined, wall: number, now: number): 'wrong' | 'right' | undefined {
    // Only the first answer to the last one tells how long the way is.
    if (echo !== this.#sentTime) return undefined;
    this.#sentTime = NaN;
    this.#roundTripMs = now - this.#sentAt;
    this.#skewMs = Math.round(time + this.#roundTripMs / 2 - wall);
    const distance = Math.abs(this.#skewMs);
    const error = this.#roundTripMs / 2;
    if (!this.#isWrong && distance - error > SKEW_LIMIT_MS) {
      this.#isWrong = true;
      return 'wrong';
    }
    if (this.#isWrong && distance + error < RIGHT_MS) {
      this.#isWrong = false;
      return 'right';
    }
    return undefined;
  }
}
