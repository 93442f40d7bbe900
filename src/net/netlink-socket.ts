// A NETLINK_ROUTE socket on the main thread: requests that are answered, or notifications as they come.

import { getSystemErrorName } from 'node:util';
import type { Addon, Watch } from '../native/addon.ts';
import { parseRtnetlink, type RtnetlinkRecord } from '../wire/rtnetlink.ts';

/** How long the kernel may take to answer; it answers at once, so anything longer is a lost answer. */
const ANSWER_TIMEOUT_MS = 5000;
/** A dump that changes under way is asked for again so often. */
const MAX_DUMPS = 10;

type Waiting = {
  records: RtnetlinkRecord[];
  resolve: (records: RtnetlinkRecord[]) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
};

export class NetlinkRequestError extends Error {
  readonly code: string;

  constructor(what: string, errno: number) {
    const code = getSystemErrorName(-errno);
    super(`${what}: ${code}`);
    this.name = 'NetlinkRequestError';
    this.code = code;
  }
}

/** Requests and their answers. */
export class NetlinkSocket {
  readonly #addon: Addon;
  readonly #descriptor: number;
  readonly #watch: Watch;
  readonly #waiting = new Map<number, Waiting>();
  #sequence = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** Throws an Error with `code` when the kernel gives no socket. */
  constructor(addon: Addon) {
    this.#addon = addon;
    this.#descriptor = addon.netlinkOpen(0);
    this.#watch = addon.watchReadable(this.#descriptor, () => this.#read());
  }

  /**
   * Sends what `compose` makes of a sequence number, and gives the records of a dump, or none for a change that was made.
   * Rejects with a NetlinkRequestError, which names `what` and the errno, when the kernel refuses. One at a time: the
   * kernel answers EBUSY to a dump within a dump.
   */
  async request(what: string, compose: (sequence: number) => Uint8Array): Promise<RtnetlinkRecord[]> {
    const answer = this.#last.then(() => this.#repeat(what, compose));
    this.#last = answer.catch(() => undefined);
    return answer;
  }

  close(): void {
    this.#addon.unwatch(this.#watch);
    this.#addon.closeDescriptor(this.#descriptor);
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new Error('the netlink socket was closed'));
    }
    this.#waiting.clear();
  }

  async #repeat(what: string, compose: (sequence: number) => Uint8Array): Promise<RtnetlinkRecord[]> {
    for (let attempt = 1; ; attempt++) {
      const records = await this.#once(what, compose);
      const last = records.pop();
      if (last?.type === 'answer' && last.errno !== 0) throw new NetlinkRequestError(what, last.errno);
      if (last?.type !== 'done' || !last.interrupted || attempt === MAX_DUMPS) return records;
    }
  }

  #once(what: string, compose: (sequence: number) => Uint8Array): Promise<RtnetlinkRecord[]> {
    return new Promise((resolve, reject) => {
      const sequence = (this.#sequence = (this.#sequence + 1) >>> 0);
      const timer = setTimeout(() => {
        this.#waiting.delete(sequence);
        reject(new Error(`${what}: the kernel did not answer within ${ANSWER_TIMEOUT_MS} ms`));
      }, ANSWER_TIMEOUT_MS);
      this.#waiting.set(sequence, { records: [], resolve, reject, timer });
      try {
        this.#addon.netlinkSend(this.#descriptor, compose(sequence));
      } catch (error) {
        this.#waiting.delete(sequence);
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  #read(): void {
    for (;;) {
      const datagram = this.#addon.netlinkReceive(this.#descriptor);
      if (datagram === null) return;
      for (const record of parseRtnetlink(datagram)) this.#accept(record);
    }
  }

  #accept(record: RtnetlinkRecord): void {
    const waiting = this.#waiting.get(record.sequence);
    if (waiting === undefined) return;
    waiting.records.push(record);
    if (record.type !== 'done' && record.type !== 'answer') return;
    this.#waiting.delete(record.sequence);
    clearTimeout(waiting.timer);
    waiting.resolve(waiting.records);
  }
}

/** Notifications of multicast groups. */
export class NetlinkMonitor {
  readonly #addon: Addon;
  readonly #descriptor: number;
  readonly #watch: Watch;
  readonly #heard: (record: RtnetlinkRecord) => void;
  readonly #missed: () => void;

  /** `groups`: a bit mask of RtnetlinkGroup; `missed` is called when notifications were lost. */
  constructor(addon: Addon, groups: number, heard: (record: RtnetlinkRecord) => void, missed: () => void) {
    this.#addon = addon;
    this.#heard = heard;
    this.#missed = missed;
    this.#descriptor = addon.netlinkOpen(groups);
    this.#watch = addon.watchReadable(this.#descriptor, () => this.drain());
  }

  /** Reports what has arrived and was not reported yet. */
  drain(): void {
    for (;;) {
      let datagram: Uint8Array | null;
      try {
        datagram = this.#addon.netlinkReceive(this.#descriptor);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOBUFS') throw error;
        this.#missed();
        continue;
      }
      if (datagram === null) return;
      for (const record of parseRtnetlink(datagram)) this.#heard(record);
    }
  }

  close(): void {
    this.#addon.unwatch(this.#watch);
    this.#addon.closeDescriptor(this.#descriptor);
  }
}
