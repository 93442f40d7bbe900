// The worker's side of IPsec: policies and associations as they are told, ageing, keepalives, tunnels of interface mode.

import type { Domain } from '../../bridge/domain.ts';
import { Column, ROW_STRIDE, type CounterTable } from '../../core/counters.ts';
import type { AssociationSpec } from '../../ipsec/association-database.ts';
import type { SelectorSpec } from '../../ipsec/traffic-selector.ts';
import type { Frame } from '../../packet/frame.ts';
import type { Outlet } from '../../pipeline/node.ts';
import type { AssociationStates } from './association-states.ts';
import type { IpsecGate } from './ipsec-gate.ts';
import type { IpsecPaths } from './ipsec-paths.ts';
import type { LocalAddresses } from './local-addresses.ts';

export class IpsecService {
  readonly #gate: IpsecGate;
  readonly #paths: IpsecPaths;
  readonly #states: AssociationStates;
  readonly #addresses: LocalAddresses;
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #counters: CounterTable;

  constructor(
    gate: IpsecGate,
    paths: IpsecPaths,
    states: AssociationStates,
    addresses: LocalAddresses,
    domains: ReadonlyMap<number, Domain>,
    counters: CounterTable,
  ) {
    this.#gate = gate;
    this.#paths = paths;
    this.#states = states;
    this.#addresses = addresses;
    this.#domains = domains;
    this.#counters = counters;
  }

  setSelector(spec: SelectorSpec): void {
    this.#gate.policies.set(spec);
  }

  removeSelector(id: number): void {
    this.#gate.policies.remove(id);
  }

  setAssociation(spec: AssociationSpec, nowMs: number): void {
    this.#gate.associations.set(spec, nowMs);
  }

  removeAssociation(id: number): void {
    this.#gate.associations.remove(id);
  }

  /** The domain whose address an association sends from; undefined while that is no self IP. */
  domainOf({ routeDomain, sa: { source } }: AssociationSpec): Domain | undefined {
    return this.#domains.get(this.#addresses.ownerOf(routeDomain, ...source));
  }

  /** What packets that are routed into an interface mode tunnel are pushed into. */
  tunnelOutlet(row: number, selector: number): Outlet {
    const { cells } = this.#counters;
    const base = row * ROW_STRIDE;
    const { toSeal } = this.#gate;
    return {
      push: (frame: Frame) => {
        cells[base + Column.outFrames]! += 1;
        cells[base + Column.outOctets]! += frame.end - frame.start;
        frame.protection = selector + 1;
        toSeal.push(frame);
      },
    };
  }

  /** A few times a second. */
  tick(nowMs: number, second: number): void {
    this.#paths.changed();
    for (const association of this.#gate.associations.all()) {
      association.inbound.age(nowMs);
      association.outbound.age(nowMs);
      this.#states.refill(association);
      this.#states.publish(association, second);
    }
  }
}
