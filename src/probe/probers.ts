// Who sends a probe: by the type of its monitor.

import type { MonitorType } from '../health/monitor.ts';
import type { Prober } from '../health/probe.ts';
import { Deadlines } from './deadlines.ts';
import { DnsProber } from './dns-prober.ts';
import { ExternalProber } from './external-prober.ts';
import { impossibleLater } from './outcome.ts';
import { createRawProbers } from './raw-probers.ts';
import { StreamProber } from './stream-prober.ts';
import { TlsProber } from './tls-prober.ts';
import { UdpProber } from './udp-prober.ts';

export type ProberOptions = {
  /** Whoever sends packets of his own for icmp, gateway-icmp and tcp-half-open. */
  readonly raw?: Prober;
};

/** Everything that probes need is in it: sockets, time limits, programs. */
export function createProbers({ raw = createRawProbers() }: ProberOptions = {}): Prober {
  const deadlines = new Deadlines();
  const stream = new StreamProber(deadlines);
  const external = new ExternalProber(deadlines);
  const probers = new Map<MonitorType, Pick<Prober, 'probe'>>([
    ['icmp', raw],
    ['gateway-icmp', raw],
    ['tcp-half-open', raw],
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
      const prober = probers.get(type);
      if (prober === undefined) return impossibleLater(`there is nobody who probes by ${type}`, done);
      if (prober === raw) return raw.probe(monitor, place, timeout, done);
      if (place.via !== undefined) {
        return impossibleLater(`a monitor of type ${type} cannot probe by the next hop ${place.via}`, done);
      }
      if (place.port === 0 && type !== 'external') return impossibleLater('there is no port to probe', done);
      if (deadlines.isFull) return impossibleLater('too many probes at a time', done);
      return prober.probe(monitor, place, timeout, done);
    },
    close() {
      external.close();
      deadlines.cancelAll();
      raw.close();
    },
  };
}
