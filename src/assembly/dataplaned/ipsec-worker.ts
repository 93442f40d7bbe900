// The worker's side of IPsec: policies and associations as they are told, ageing, keepalives, tunnels of interface mode.

import type { Domain } from '../../bridge/domain.ts';
import { Column, ROW_STRIDE } from '../../core/counters.ts';
import { Drop } from '../../core/drop-reason.ts';
import type { Association, AssociationSpec } from '../../ipsec/association-database.ts';
import { readSelectors } from '../../ipsec/packet-selectors.ts';
import { tunnelScope, type SelectorSpec } from '../../ipsec/traffic-selector.ts';
import type { Frame } from '../../packet/frame.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import type { Outlet } from '../../pipeline/node.ts';
import type { AssociationStates } from './association-states.ts';
import type { IpsecGate } from './ipsec-gate.ts';
import type { IpsecPaths } from './ipsec-paths.ts';
import type { LocalAddresses } from './local-addresses.ts';
import { NatKeepalive } from './nat-keepalive.ts';

export class IpsecWorker {
  readonly #gate: IpsecGate;
  readonly #paths: IpsecPaths;
  readonly #states: AssociationStates;
  readonly #addresses: LocalAddresses;
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #disposal: Disposal;
  readonly keepalive: NatKeepalive;

  constructor(
    gate: IpsecGate,
    paths: IpsecPaths,
    states: AssociationStates,
    addresses: LocalAddresses,
    domains: ReadonlyMap<number, Domain>,
    disposal: Disposal,
    send: (frame: Frame, association: Association) => void,
  ) {
    this.#gate = gate;
    this.#paths = paths;
    this.#states = states;
    this.#addresses = addresses;
    this.#domains = domains;
    this.#disposal = disposal;
    this.keepalive = new NatKeepalive(gate.associations, disposal, send);
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
  tunnelOutlet(member: number, row: number): Outlet {
    return {
      push: (frame: Frame) => {
        const { cells } = this.#disposal.counters;
        const base = row * ROW_STRIDE;
        readSelectors(this.#disposal.pool.arena.bytes, frame.start, frame.end);
        const selector = this.#gate.policies.find('out', tunnelScope(member));
        if (selector === undefined) {
          this.#disposal.drop(frame, Drop.ipsecPolicyMismatch, row);
          return;
        }
        cells[base + Column.outFrames]! += 1;
        cells[base + Column.outOctets]! += frame.end - frame.start;
        this.#gate.take(frame, selector);
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
    this.keepalive.tick(second, ({ spec }) => this.domainOf(spec) !== undefined);
  }
}
