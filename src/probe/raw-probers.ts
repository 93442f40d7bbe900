// Monitors that are packets of their own, not connections of the kernel: icmp, gateway-icmp and tcp-half-open.

import { parseAddress } from '../core/address.ts';
import { kept } from '../core/kept.ts';
import type { Monitor } from '../health/monitor.ts';
import type { Cancel, ProbeOutcome } from '../health/probe.ts';
import { HalfOpenProber } from './half-open-prober.ts';
import { IcmpProber } from './icmp-prober.ts';
import type { Attempts, ProbeTarget } from './packet-probes.ts';
import { impossibleLater } from './outcome.ts';
import type { RoutedPlace } from './probe-socket.ts';
import { RawIcmp } from './raw-icmp.ts';

/** Targets that are remembered: their addresses are parsed once. */
const MAX_TARGETS = 65_536;
/** A SYN of an ltm monitor, which says nothing of attempts, is sent again as a kernel would. */
const SYN_AGAIN_MS = 1000;
const MAX_SYNS = 3;

export type RawProbers = {
  probe(monitor: Monitor, place: RoutedPlace, timeout: number, done: (outcome: ProbeOutcome) => void): Cancel;
  close(): void;
};

/** Packets go only from the main thread of a process, for that is where the package raw-socket works. */
export function createRawProbers(): RawProbers {
  const icmp = new RawIcmp();
  const echo = new IcmpProber(icmp);
  const halfOpen = new HalfOpenProber(icmp);
  const targets = new Map<string, ProbeTarget>();

  const targetOf = (address: string, port: number, mark: number): ProbeTarget | undefined => {
    const key = port === 0 && mark === 0 ? address : `${address} ${port} ${mark}`;
    const known = targets.get(key);
    if (known !== undefined) return known;
    const parsed = parseAddress(address);
    if (parsed === undefined) return undefined;
    const target: ProbeTarget = { family: parsed.family, address, words: parsed.words, port, mark };
    if (targets.size === MAX_TARGETS) targets.clear();
    targets.set(key, target);
    return target;
  };

  return {
    probe: (monitor, place, timeout, done) => {
      const isHalfOpen = monitor.type === 'tcp-half-open';
      const target = targetOf(place.address, isHalfOpen ? place.port : 0, place.mark ?? 0);
      if (target === undefined) return impossibleLater(`${place.address} is no address`, done);
      if (isHalfOpen && place.port === 0) return impossibleLater('there is no port to send a SYN to', done);
      const prober = isHalfOpen ? halfOpen : echo;
      return (
        prober.probe(target, attemptsOf(monitor, timeout), done) ?? impossibleLater('too many probes at a time', done)
      );
    },
    close: () => {
      echo.close();
      halfOpen.close();
      icmp.close();
    },
  };
}

/** `timeout` is for the answer to the last packet. */
const attemptsOf = kept(({ module, type, timing }: Monitor, timeout: number): Attempts => {
  if (type === 'tcp-half-open' && module === 'ltm') {
    const count = Math.min(MAX_SYNS, Math.max(1, Math.floor(timeout / SYN_AGAIN_MS)));
    return { count, apart: SYN_AGAIN_MS, timeout: timeout - (count - 1) * SYN_AGAIN_MS };
  }
  return { count: Math.max(1, timing.probeAttempts), apart: timing.probeInterval, timeout };
});
