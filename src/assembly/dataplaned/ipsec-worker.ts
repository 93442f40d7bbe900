// The worker's side of IPsec: policies and associations as they are told, ageing, keepalives, tunnels of interface mode.

import type { Domain, Member } from '../../bridge/domain.ts';
import { Column, ROW_STRIDE } from '../../core/counters.ts';
import { Drop } from '../../core/drop-reason.ts';
import type { Association, AssociationSpec } from '../../ipsec/association-database.ts';
import type { Compressor } from '../../ipsec/compressor.ts';
import type { CryptoBatch } from '../../ipsec/crypto.ts';
import { Opener } from '../../ipsec/opener.ts';
import { readSelectors } from '../../ipsec/packet-selectors.ts';
import { Sealer } from '../../ipsec/sealer.ts';
import { tunnelScope } from '../../ipsec/traffic-selector.ts';
import type { DatagramFrames } from '../../packet/datagrams.ts';
import type { Frame, FrameBatch } from '../../packet/frame.ts';
import type { Disposal } from '../../pipeline/disposal.ts';
import type { Outlet, PipelineNode } from '../../pipeline/node.ts';
import type { AssociationStates } from './association-states.ts';
import type { Fragmenter } from './fragmenter.ts';
import type { IcmpErrors } from './icmp-errors.ts';
import type { IpsecGate } from './ipsec-gate.ts';
import type { IpsecPaths } from './ipsec-paths.ts';
import type { KeyExchange } from './key-exchange.ts';
import type { LocalAddresses } from './local-addresses.ts';
import { NatKeepalive } from './nat-keepalive.ts';
import { IpsecInboundNode } from './nodes/ipsec-inbound-node.ts';
import { IpsecOutboundNode } from './nodes/ipsec-outbound-node.ts';
import type { PacketReceiver } from './nodes/packet-receiver.ts';
import { UnsealedNode } from './nodes/unsealed-node.ts';
import type { IpsecOperation } from './spec.ts';

/** What of the data plane outbound and inbound processing need besides. */
export type IpsecSurroundings = {
  members: readonly (Member | undefined)[];
  receiver: PacketReceiver;
  errors: IcmpErrors;
  fragmenter: Fragmenter;
  /** Where what comes out of a tunnel goes. */
  toRoute: FrameBatch;
  /** For datagrams that came joined. */
  datagrams: DatagramFrames;
};

export class IpsecWorker {
  readonly #gate: IpsecGate;
  readonly #paths: IpsecPaths;
  readonly #states: AssociationStates;
  readonly #addresses: LocalAddresses;
  readonly #domains: ReadonlyMap<number, Domain>;
  readonly #disposal: Disposal;
  readonly #originator: { originateSealed(frame: Frame, domain: Domain): void };
  readonly #keyExchange: KeyExchange;
  readonly #keepalive: NatKeepalive;

  /** `originator`: the router. */
  constructor(
    gate: IpsecGate,
    paths: IpsecPaths,
    states: AssociationStates,
    keyExchange: KeyExchange,
    addresses: LocalAddresses,
    domains: ReadonlyMap<number, Domain>,
    disposal: Disposal,
    originator: { originateSealed(frame: Frame, domain: Domain): void },
  ) {
    this.#gate = gate;
    this.#paths = paths;
    this.#states = states;
    this.#keyExchange = keyExchange;
    this.#addresses = addresses;
    this.#domains = domains;
    this.#disposal = disposal;
    this.#originator = originator;
    this.#keepalive = new NatKeepalive(gate.associations, disposal, this.#send);
  }

  /** The nodes of the pipeline: packets come in before they are routed, and the scheduler goes round for what leaves. */
  nodes(
    { members, receiver, errors, fragmenter, toRoute, datagrams }: IpsecSurroundings,
    crypto: CryptoBatch | undefined,
    compressor: Compressor | undefined,
  ): PipelineNode[] {
    const [gate, disposal] = [this.#gate, this.#disposal];
    if (crypto === undefined) return [new UnsealedNode(gate, disposal)];
    const opener = new Opener(disposal.pool, crypto, compressor);
    const sealer = new Sealer(disposal.pool, crypto, compressor);
    const addresses = this.#addresses;
    const inbound = new IpsecInboundNode(gate, opener, members, addresses, disposal, toRoute, receiver, datagrams);
    inbound.notEsp = this.#keyExchange.take;
    return [
      inbound,
      new IpsecOutboundNode(gate, sealer, this.#paths, this.#states, errors, fragmenter, disposal, this.#send),
    ];
  }

  apply(operation: IpsecOperation, nowMs: number): void {
    const { policies, associations } = this.#gate;
    switch (operation.op) {
      case 'set-ipsec-settings':
        this.#gate.natTraversalPort = operation.natTraversalPort;
        this.#keepalive.seconds = operation.keepaliveSeconds;
        break;
      case 'set-traffic-selector':
        policies.set(operation.spec);
        break;
      case 'remove-traffic-selector':
        policies.remove(operation.id);
        break;
      case 'set-association':
        associations.set(operation.spec, nowMs);
        break;
      case 'remove-association':
        associations.remove(operation.id);
        break;
      case 'set-key-exchange':
        this.#gate.hasKeyExchange = operation.isWanted;
        break;
      case 'send-key-exchange':
        this.#keyExchange.send(operation.spec);
        break;
    }
  }

  /** Sends a packet of an association by the routes of its source address. */
  readonly #send = (frame: Frame, { spec }: Association): void => {
    const domain = this.#domainOf(spec);
    if (domain === undefined) this.#disposal.drop(frame, Drop.noRoute, spec.row);
    else this.#originator.originateSealed(frame, domain);
  };

  /** The domain whose address an association sends from; undefined while that is no self IP. */
  #domainOf({ routeDomain, sa: { source } }: AssociationSpec): Domain | undefined {
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
    this.#keepalive.tick(second, ({ spec }) => this.#domainOf(spec) !== undefined);
  }
}
