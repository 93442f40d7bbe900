// What a bigip monitor sees of a virtual server of this machine: the outcome that is reported to the engine.

import type { LtmAvailability } from './ltm-availability.ts';
import type { ProbeOutcome, Verdict } from './probe.ts';

/**
 * Of the virtual server with that destination, or else with that name. What is disabled or over a limit is down for others, as what is
 * offline: no new client shall be sent there. What nobody checks is unknown.
 */
export function bigipView(availability: LtmAvailability, address: string, port: number, name?: string): ProbeOutcome {
  const virtual = availability.findVirtual(address, port, name);
  const status = virtual && availability.virtual(virtual.name);
  if (status === undefined) {
    const where = `${address.includes(':') ? `[${address}]` : address}:${port}`;
    return { verdict: 'impossible', reason: `no virtual ${where} here`, took: 0 };
  }
  const text = `virtual ${virtual!.name}: ${status.reason}`;
  if (status.enabled !== 'enabled') {
    const off = status.enabled === 'disabled' ? 'disabled' : 'disabled by its pool';
    return { verdict: 'refused', reason: `${text} (${off})`, took: 0 };
  }
  const verdicts: Record<typeof status.availability, Verdict> = {
    available: 'up',
    unknown: 'impossible',
    unavailable: 'refused',
    offline: 'refused',
  };
  return { verdict: verdicts[status.availability], reason: text, took: 0 };
}
