// The engine that is always there: a thread that does nothing but answer what comes to UDP sockets.

import type { ResponderOptions } from '../../dns/responder-options.ts';
import type { EngineListener } from './engine-protocol.ts';
import { type EngineEvents, EngineThread } from './engine-thread.ts';

export class SocketEngine extends EngineThread {
  /** `log`: memory of a query log. */
  constructor(log: SharedArrayBuffer, events: EngineEvents) {
    super('./socket-engine-main.js', { log }, events);
  }

  /** Resolves to the handle of the socket when queries to it are answered; rejects when the thread cannot use it. */
  async open(listener: EngineListener): Promise<number> {
    return (await this.ask({ kind: 'open', listener }))!;
  }

  /** Answers as these options say from the next batch of queries on. */
  async change(id: number, answers: ResponderOptions): Promise<void> {
    await this.ask({ kind: 'change', id, answers });
  }

  /** Resolves when the socket is closed. */
  async close(id: number): Promise<void> {
    await this.ask({ kind: 'close', id });
  }
}
