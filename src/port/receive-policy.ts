// When a packet ring receives by blocks and when frame by frame.
//
// Blocks are the cheapest way to take many frames and delay a lone one by half a millisecond; frame by frame costs a
// microsecond each and delays nothing. The policy goes to blocks when frame by frame no longer keeps up, which shows as a
// backlog that many receives in a row find, and comes back when the rate has been low for a while.
//
// A backlog that a pause of the reader left, at a low rate, must not lead to blocks: a timer retires a block each millisecond, be there one
// frame in it, so the next pause would fill the ring within as many milliseconds as it has blocks, where the socket that is read frame by
// frame has room for seconds.

/** A receive of so many frames found a backlog: a queue, not a TCP window. */
const BACKLOG_FRAMES = 32;
/** Frames of one backlog before the policy goes to blocks: a millisecond at the rates that need them, a second's pause at low ones. */
const LONG_BACKLOG_FRAMES = 1024;
/** The rate below which frame by frame is cheap enough: a tenth of a core. */
const CALM_FRAMES_PER_MS = 100;
/** How long the rate is measured before the policy comes back; doubled each time that it came back too early. */
const CALM_WINDOW_MS = 20;
const LONGEST_WINDOW_MS = 1280;
/** Coming back was too early when blocks were needed again within so many windows. */
const EARLY_WINDOWS = 8;
/** Receives between two looks at the clock. */
const RECEIVES_PER_LOOK = 16;

export class ReceivePolicy {
  /** Whether frames shall come one by one. */
  lowLatency = true;
  readonly #now: () => number;
  #backlogged = 0;
  #receives = 0;
  #frames = 0;
  #windowStartMs = 0;
  #windowMs = CALM_WINDOW_MS;
  #cameBackMs = -Infinity;

  /** `now`: a monotonic clock in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Takes note of a receive; true when `lowLatency` has changed. */
  note(frames: number): boolean {
    if (this.lowLatency) {
      if (frames < BACKLOG_FRAMES) {
        this.#backlogged = 0;
        return false;
      }
      this.#backlogged += frames;
      if (this.#backlogged < LONG_BACKLOG_FRAMES) return false;
      this.lowLatency = false;
      this.#goToBlocks(this.#now());
      return true;
    }
    this.#frames += frames;
    if (++this.#receives < RECEIVES_PER_LOOK && frames !== 0) return false;
    this.#receives = 0;
    const nowMs = this.#now();
    const elapsedMs = nowMs - this.#windowStartMs;
    if (elapsedMs < this.#windowMs) return false;
    const calm = this.#frames < CALM_FRAMES_PER_MS * elapsedMs;
    this.#startWindow(nowMs);
    if (!calm) return false;
    this.lowLatency = true;
    this.#backlogged = 0;
    this.#cameBackMs = nowMs;
    return true;
  }

  #goToBlocks(nowMs: number): void {
    const early = nowMs - this.#cameBackMs < EARLY_WINDOWS * this.#windowMs;
    this.#windowMs = early ? Math.min(2 * this.#windowMs, LONGEST_WINDOW_MS) : CALM_WINDOW_MS;
    this.#startWindow(nowMs);
  }

  #startWindow(nowMs: number): void {
    this.#windowStartMs = nowMs;
    this.#frames = 0;
    this.#receives = 0;
  }
}
