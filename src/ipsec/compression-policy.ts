// When compressing is worth trying (RFC 3173, section 2.2): not for short payloads, and seldom where it did not help lately.

/** Shorter payloads hardly ever become smaller (RFC 2394, section 2.2, has found about 90). */
export const COMPRESSION_THRESHOLD_OCTETS = 90;
/** After so many payloads in a row that did not become smaller, the next ones are sent as they are … */
const FAILURES = 4;
/** … at first so many, then twice as many each time, up to a limit. */
const FIRST_PAUSE = 4;
const LAST_PAUSE = 256;

export class CompressionPolicy {
  #failures = 0;
  #pause = FIRST_PAUSE;
  #skip = 0;

  /** Whether to try a payload of so many octets. */
  wants(octets: number): boolean {
    if (octets < COMPRESSION_THRESHOLD_OCTETS) return false;
    if (this.#skip === 0) return true;
    this.#skip -= 1;
    return false;
  }

  /** What came of a payload that was tried. */
  tried(isSmaller: boolean): void {
    if (isSmaller) {
      this.#failures = 0;
      this.#pause = FIRST_PAUSE;
      return;
    }
    this.#failures += 1;
    if (this.#failures < FAILURES) return;
    this.#skip = this.#pause;
    this.#pause = Math.min(LAST_PAUSE, this.#pause * 2);
  }
}
