// Probes by TCP: monitors of type tcp and http. What is spoken is written by hand on a socket, in one piece: a client of HTTP would
// add headers of its own, and cost more than the rest of a probe.

import { Socket } from 'node:net';
import type { Exchange, Monitor } from '../health/monitor.ts';
import type { Cancel, ProbeOutcome } from '../health/probe.ts';
import type { Deadlines } from './deadlines.ts';
import { type ExchangePlan, planOf } from './exchange-plan.ts';
import { impossibleLater } from './outcome.ts';
import { type RoutedPlace, streamOptions } from './probe-socket.ts';
import { type Connection, StreamProbe } from './stream-probe.ts';

/** All sockets read into it: what is read is looked at before the next one reads. */
const buffer = Buffer.allocUnsafeSlow(16_384);

const onread = {
  buffer,
  callback(this: ProbeSocket, length: number): boolean {
    this.probe.received(buffer, length);
    return true;
  },
};

class ProbeSocket extends Socket implements Connection {
  readonly probe: StreamProbe;

  constructor(
    plan: ExchangePlan,
    options: object,
    timeout: number,
    deadlines: Deadlines,
    done: (outcome: ProbeOutcome) => void,
  ) {
    // What @types/node knows of `connect` only, the constructor takes as well.
    super({ allowHalfOpen: true, onread, ...options } as object);
    this.probe = new StreamProbe(plan, this, timeout, deadlines, done);
    this.on('connect', opened);
    this.on('end', ended);
    this.on('error', failed);
  }

  abandon(): void {
    resetSocket(this);
  }
}

/** Functions of all sockets, so that none needs its own. */
function opened(this: ProbeSocket): void {
  this.probe.opened();
}

function ended(this: ProbeSocket): void {
  this.probe.ended('closed');
}

function failed(this: ProbeSocket, error: NodeJS.ErrnoException): void {
  this.probe.failed(error);
}

/**
 * Closes with RST: neither end keeps the connection in TIME-WAIT, which at 1,000 a second would be 60,000 of them. Whatever the
 * target still sends is not wanted.
 */
export function resetSocket(socket: Socket): void {
  if (socket.connecting || socket.destroyed) socket.destroy();
  else socket.resetAndDestroy();
}

export class StreamProber {
  readonly #deadlines: Deadlines;

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  probe(monitor: Monitor, place: RoutedPlace, timeout: number, done: (outcome: ProbeOutcome) => void): Cancel {
    const plan = planOf(monitor, (monitor.probe as { exchange: Exchange }).exchange);
    if (typeof plan === 'string') return impossibleLater(plan, done);
    const socket = new ProbeSocket(plan, streamOptions(place), timeout, this.#deadlines, done);
    socket.connect({ host: place.address, port: place.port, family: place.family });
    const { probe } = socket;
    return () => probe.cancel();
  }
}
