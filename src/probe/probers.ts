// Who sends a probe: by the type of its monitor.

import { errorText } from '../core/errors.ts';
import type { Monitor, MonitorType } from '../health/monitor.ts';
import type { Cancel, Prober, ProbeOutcome } from '../health/probe.ts';
import { Deadlines } from './deadlines.ts';
import { DnsProber } from './dns-prober.ts';
import { ExternalProber } from './external-prober.ts';
import { impossibleLater } from './outcome.ts';
import type { RoutedPlace } from './probe-socket.ts';
import { createRawProbers, type RawProbers } from './raw-probers.ts';
import { StreamProber } from './stream-prober.ts';
import { TlsProber } from './tls-prober.ts';
import { UdpProber } from './udp-prober.ts';

export type ProberOptions = {
  /** Whoever sends packets of his own for icmp, gateway-icmp and tcp-half-open. */
  readonly raw?: RawProbers;
  /** The mark by which packets go by a next hop, or why there is none. */
  readonly markOf?: (hop: string) => number | string;
};

/** Sends probes of some types, by sockets with the mark of the place. */
type RoutedProber = {
  probe(monitor: Monitor, place: RoutedPlace, timeout: number, done: (outcome: ProbeOutcome) => void): Cancel;
};

const NO_NEXT_HOPS = 'nobody here can have it go by the next hop';

/** Everything that probes need is in it: sockets, time limits, programs. */
export function createProbers({ raw = createRawProbers(), markOf = () => NO_NEXT_HOPS }: ProberOptions = {}): Prober {
  const deadlines = new Deadlines();
  const stream = new StreamProber(deadlines);
  const external = new ExternalProber(deadlines);
  const probers = new Map<MonitorType, RoutedProber>([
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
      const { via } = place;
      if (prober !== raw) {
        if (place.port === 0 && type !== 'external') return impossibleLater('there is no port to probe', done);
        if (deadlines.isFull) return impossibleLater('too many probes at a time', done);
      }
      if (via === undefined) return prober.probe(monitor, place, timeout, done);
      if (prober === external) return impossibleLater('a program cannot be made to go by a next hop', done);
      const mark = markOf(via);
      if (typeof mark === 'string') return impossibleLater(mark, done);
      try {
        return prober.probe(monitor, { ...place, mark }, timeout, done);
      } catch (error) {
        return impossibleLater(`no socket that goes by ${via}: ${errorText(error)}`, done);
      }
    },
    close() {
      external.close();
      deadlines.cancelAll();
      raw.close();
    },
  };
}
