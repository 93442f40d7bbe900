// Counts the established TCP connections of this host by local address and port, by one look at all of them.

import { parseAddress } from '../core/address.ts';
import type { Addon } from '../native/addon.ts';
import { composeTcpDump, DiagFamily, newFoundSocket, readTcpDump, TcpState } from '../wire/sock-diag.ts';

/** Of one target, `0.0.0.0` and `::` being every address of the family, and port 0 every port. */
type Target = {
  readonly key: string;
  readonly family: 4 | 6;
  readonly words: readonly number[];
  readonly isAnyAddress: boolean;
  readonly port: number;
};

/** Datagrams, of some 32 KB, that are read in a row: 450 connections each. */
const BATCH = 8;
const ANSWER_TIMEOUT_MS = 10_000;

export class ConnectionCounter {
  readonly #addon: Addon;
  readonly #byPort = new Map<number, Target[]>();
  readonly #found = newFoundSocket();
  #counts = new Map<string, number>();
  #sequence = 0;

  constructor(addon: Addon) {
    this.#addon = addon;
  }

  /** `key` names the count; what is no address counts nothing. */
  want(targets: readonly { readonly key: string; readonly address: string; readonly port: number }[]): void {
    this.#byPort.clear();
    for (const { key, address, port } of targets) {
      const parsed = parseAddress(address);
      if (parsed === undefined) continue;
      const { family, words } = parsed;
      const target = { key, family, words, isAnyAddress: words.every((word) => word === 0), port };
      const same = this.#byPort.get(port);
      if (same === undefined) this.#byPort.set(port, [target]);
      else same.push(target);
    }
  }

  /** By key, 0 where there are none. Rejects with an Error when the kernel does not say. One at a time. */
  async count(): Promise<ReadonlyMap<string, number>> {
    this.#counts = new Map([...this.#byPort.values()].flat().map(({ key }) => [key, 0]));
    if (this.#byPort.size === 0) return this.#counts;
    const descriptor = this.#addon.diagnosticsOpen();
    try {
      await this.#dump(descriptor, DiagFamily.ipv4);
      await this.#dump(descriptor, DiagFamily.ipv6);
    } finally {
      this.#addon.closeDescriptor(descriptor);
    }
    return this.#counts;
  }

  async #dump(descriptor: number, family: DiagFamily): Promise<void> {
    const sequence = (this.#sequence = (this.#sequence + 1) >>> 0);
    this.#addon.netlinkSend(descriptor, composeTcpDump(family, TcpState.established, sequence));
    const end = performance.now() + ANSWER_TIMEOUT_MS;
    while (!this.#readBatch(descriptor, sequence)) {
      if (performance.now() > end) throw new Error('the kernel does not say which connections there are');
      // The kernel goes on when it is read; what else the process has to do comes in between.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Whether that was all. Throws what the kernel says. */
  #readBatch(descriptor: number, sequence: number): boolean {
    for (let count = 0; count < BATCH; count++) {
      const datagram = this.#addon.netlinkReceive(descriptor);
      if (datagram === null) return false;
      const end = readTcpDump(datagram, sequence, this.#found, this.#take);
      if (end === 'done') return true;
      if (end !== 'more') throw new Error(`the kernel does not say which connections there are: errno ${-end}`);
    }
    return false;
  }

  readonly #take = (): void => {
    this.#countFor(this.#byPort.get(this.#found.port));
    this.#countFor(this.#byPort.get(0));
  };

  #countFor(targets: readonly Target[] | undefined): void {
    if (targets === undefined) return;
    const { family, words } = this.#found;
    for (const target of targets) {
      if (target.family !== family) continue;
      if (!target.isAnyAddress && !target.words.every((word, index) => word === words[index])) continue;
      this.#counts.set(target.key, this.#counts.get(target.key)! + 1);
    }
  }
}
