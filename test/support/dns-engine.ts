// An engine on sockets with one listener, for tests and benchmarks.

import { createListenerCounts, type DeferredQuery } from '../../src/assembly/dnsd/engine-protocol.ts';
import { createQueryLog } from '../../src/assembly/dnsd/query-log.ts';
import { SocketEngine } from '../../src/assembly/dnsd/socket-engine.ts';
import { OUTCOMES } from '../../src/dns/outcome.ts';
import type { ResponderOptions } from '../../src/dns/responder-options.ts';
import { type SourceData, zonesAlone } from '../../src/assembly/dnsd/source-data.ts';
import type { ZoneTable } from '../../src/dns/zone-table.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { openServerSocket } from '../../src/net/server-socket.ts';

export type ServedAddress = { readonly family: 4 | 6; readonly address: string; readonly port: number };

export class OneListener {
  readonly engine: SocketEngine;
  readonly counts = createListenerCounts();
  readonly deferred: DeferredQuery[] = [];

  /** What became of messages (`Outcome`). */
  get outcomes(): Float64Array {
    return this.counts.subarray(0, OUTCOMES);
  }

  constructor() {
    this.engine = new SocketEngine(createQueryLog(), {
      deferred: (queries) => void this.deferred.push(...queries),
      decided: () => undefined,
      died: (reason) => {
        throw new Error(reason);
      },
    });
  }

  /** Answers from now on. */
  async serve(
    where: ServedAddress,
    answers: ResponderOptions,
    sources: SourceData | readonly ZoneTable[],
  ): Promise<void> {
    const { addon } = loadAddon();
    if (addon === undefined) throw new Error('no addon');
    await this.engine.ready();
    await this.engine.setSources('zones' in sources ? sources : zonesAlone(sources));
    const descriptor = openServerSocket(addon, { ...where, isStream: false, isShared: false });
    await this.engine.open({ id: 1, descriptor, family: where.family, counts: this.counts, answers });
  }

  stop(): Promise<void> {
    return this.engine.stop();
  }
}
