// Who sends a probe: by the type of its monitor.

import type { MonitorType } from '../health/monitor.ts';
import type { Prober } from '../health/probe.ts';
import { Deadlines } from './deadlines.ts';
import { DnsProber } from './dns-prober.ts';
import { ExternalProber } from './external-prober.ts';
import { impossibleLater } from './outcome.ts';
import { StreamProber } from './stream-prober.ts';
import { TlsProber } from './tls-prober.ts';
import { UdpProber } from './udp-prober.ts';

export type ProberOptions = {
  /** Who sends probes of types that are not here, or of which another way is wanted. */
  readonly others?: ReadonlyMap<MonitorType, Prober>;
};

/** Everything that probes need is in it: sockets, time limits, programs. */
export function createProbers({ others = new Map() }: ProberOptions = {}): Prober {
  const deadlines = new Deadlines();
  const stream = new StreamProber(deadlines);
  const external = new ExternalProber(deadlines);
  const own = new Map<MonitorType, Pick<Prober, 'probe'>>([
    ['tcp', stream],
    ['http', stream],
    ['https', new TlsProber(deadlines)],
    ['udp', new UdpProber(deadlines)],
    ['dns', new DnsProber(deadlines)],
    ['external', external],
  ]);
  return {
    probe(monitor, place, timeout, done) {
      const { type } = monitor;
      const other = others.get(type);
      if (other !== undefined) return other.probe(monitor, place, timeout, done);
      const prober = own.get(type);
      if (prober === undefined) return impossibleLater(`there is nobody who probes by ${type}`, done);
      if (place.via !== undefined) {
        return impossibleLater(`a monitor of type ${type} cannot probe by the next hop ${place.via}`, done);
      }
      if (place.port === 0 && type !== 'external') return impossibleLater('there is no port to probe', done);
      return prober.probe(monitor, place, timeout, done);
    },
    close() {
      external.close();
      deadlines.cancelAll();
      for (const other of new Set(others.values())) other.close();
    },
  };
}
