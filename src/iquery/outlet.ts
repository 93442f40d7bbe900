// What is sent on a channel, by either role: whether it takes anything at present, and since when it does not.

import type { MessageChannel } from './mesh-transport.ts';
import type { Message } from './messages.ts';
import type { SessionCounts } from './session-context.ts';

/** A reader that takes nothing for that long is gone, or as good as gone. */
export const STALLED_MS = 30_000;

export class Outlet {
  readonly #channel: MessageChannel;
  readonly #counts: SessionCounts;
  /** Since when it takes nothing, and what it had taken when that was last looked at. */
  #fullSince: number | undefined;
  #progressAt = 0;
  #taken = 0;

  constructor(channel: MessageChannel, counts: SessionCounts) {
    this.#channel = channel;
    this.#counts = counts;
  }

  get isFull(): boolean {
    return this.#fullSince !== undefined;
  }

  get fullSince(): number | undefined {
    return this.#fullSince;
  }

  /** Whether more may follow. */
  send(messages: readonly Message[], now: number): boolean {
    this.#counts.messagesOut += messages.length;
    if (this.#channel.send(messages)) return true;
    if (this.#fullSince === undefined) {
      this.#counts.backloggedSends++;
      this.#fullSince = this.#progressAt = now;
      this.#taken = this.#channel.octetsOut;
    }
    return false;
  }

  drained(): void {
    this.#fullSince = undefined;
  }

  /** Whether it has been full, and has taken nothing, for too long. */
  isStalled(now: number): boolean {
    if (this.#fullSince === undefined) return false;
    if (this.#channel.octetsOut !== this.#taken) {
      this.#taken = this.#channel.octetsOut;
      this.#progressAt = now;
    }
    return now - this.#progressAt >= STALLED_MS;
  }

  /** Time in which this process stood still is not the reader's. */
  forgive(milliseconds: number): void {
    this.#progressAt += milliseconds;
  }
}
