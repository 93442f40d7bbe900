// What a bigip monitor sees of a virtual server, of this machine or of another: the outcome that is reported to the engine.

import type { LtmAvailability } from './ltm-availability.ts';
import type { LtmStatus } from './ltm-status.ts';
import type { ProbeOutcome, Verdict } from './probe.ts';

/** A virtual server that was found, and how it is. */
export type SeenVirtual = LtmStatus & { readonly name: string };

const VERDICTS: Record<LtmStatus['availability'], Verdict> = {
  available: 'up',
  unknown: 'impossible',
  unavailable: 'refused',
  offline: 'refused',
};

/** Of the virtual server of this machine with that destination, or else with that name. */
export function bigipView(availability: LtmAvailability, address: string, port: number, name?: string): ProbeOutcome {
  const virtual = availability.findVirtual(address, port, name);
  const status = virtual && availability.virtual(virtual.name);
  return status === undefined ? noVirtual(address, port, 'here') : virtualOutcome({ ...status, name: virtual!.name });
}

/**
 * What is disabled or over a limit is down for others, as what is offline: no new client shall be sent there. What nobody checks is
 * unknown. `where`: whose it is, where that is not this machine: `bigip /Common/east: `.
 */
export function virtualOutcome({ name, availability, enabled, reason }: SeenVirtual, where = ''): ProbeOutcome {
  const text = `${where}virtual ${name}: ${reason}`;
  if (enabled !== 'enabled') {
    const off = enabled === 'disabled' ? 'disabled' : 'disabled by its pool';
    return { verdict: 'refused', reason: `${text} (${off})`, took: 0 };
  }
  return { verdict: VERDICTS[availability], reason: text, took: 0 };
}

/** Of one that is not there. `machine`: `here`, or `on bigip /Common/east`. */
export function noVirtual(address: string, port: number, machine: string): ProbeOutcome {
  const where = `${address.includes(':') ? `[${address}]` : address}:${port}`;
  return { verdict: 'impossible', reason: `no virtual ${where} ${machine}`, took: 0 };
}
