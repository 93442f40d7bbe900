// Security associations as `show` has them, from the model, the planner's numbers, and memory that the worker writes.

import { formatBareAddress } from '../../core/address.ts';
import { Column } from '../../core/counters.ts';
import type { AssociationRow, IpsecTotals } from '../../ipc/ipsec-schema.ts';
import type { Lifetime } from '../../ipsec/security-association.ts';
import { type AssociationKeeper, LOST_SEQUENCE } from './association-keeper.ts';
import { AssociationCell, HARD_LIFETIME, SOFT_LIFETIME, type AssociationStates } from './association-states.ts';
import type { TrafficSelector } from './config-view.ts';
import type { IpsecStatistics } from './ipsec-service.ts';
import type { AssociationModel } from './model.ts';
import { runTimeName } from './run-time-associations.ts';
import { associationRowKey } from './ipsec-plan.ts';
import type { ShowSources } from './show-service.ts';
import { readDrops } from './statistics.ts';

const LAST_SEQUENCE = 0xffff_ffff;
const USED_UP = 'its sequence numbers are used up: give it new keys on both sides';
const ENDED = 'its lifetime is over: give it new keys on both sides';

export type IpsecSources = {
  keeper: AssociationKeeper;
  states: AssociationStates;
  /** Takes the named associations down, and those of the configuration up again. */
  remake: (names: readonly string[]) => Promise<void>;
};

export class DataplaneIpsecStatistics implements IpsecStatistics {
  readonly #sources: () => ShowSources;
  readonly #ipsec: () => IpsecSources | undefined;

  constructor(sources: () => ShowSources, ipsec: () => IpsecSources | undefined) {
    this.#sources = sources;
    this.#ipsec = ipsec;
  }

  *associations(): Generator<AssociationRow, void> {
    const { model, view } = this.#sources();
    const ipsec = this.#ipsec();
    if (ipsec === undefined) return;
    const selectors = selectorsByPolicy([...view.trafficSelectors.values()]);
    for (const association of model.associations.values()) {
      if (association.isRunTime === true || view.manualAssociations.has(association.name)) {
        yield this.#row(association, selectors, ipsec);
      }
    }
  }

  async remove(associations: readonly AssociationRow[]): Promise<void> {
    await this.#ipsec()?.remake(
      associations.map(({ manual, protocol, destination, spi }) => manual ?? runTimeName(protocol, destination, spi)),
    );
  }

  totals(): readonly IpsecTotals[] {
    const totals = new Map<number, IpsecTotals>();
    for (const { policyId, mode, direction, packets, octets } of this.associations()) {
      let total = totals.get(policyId);
      if (total === undefined) {
        total = { policyId, mode, packetsIn: 0, octetsIn: 0, packetsOut: 0, octetsOut: 0 };
        totals.set(policyId, total);
      }
      if (direction === 'in') {
        total.packetsIn += packets;
        total.octetsIn += octets;
      } else {
        total.packetsOut += packets;
        total.octetsOut += octets;
      }
    }
    return [...totals.values()];
  }

  #row(
    association: AssociationModel,
    selectors: ReadonlyMap<string, readonly TrafficSelector[]>,
    { keeper, states }: IpsecSources,
  ): AssociationRow {
    const { view, planner, worker } = this.#sources();
    const { name, policy, sa, routeDomain, tunnel, keys } = association;
    const id = planner.association(name);
    const isOut = this.#leaves(association);
    const direction = isOut ? 'out' : 'in';
    const row = planner.row(associationRowKey(name));
    const count = (column: number): number => worker.counters.read(row, column);
    const used = id === undefined ? 0 : states.read(id, AssociationCell.usedSecond);
    const mode = view.ipsecPolicies.get(policy)?.properties.mode;
    const selector = selectorFor(selectors.get(policy) ?? [], direction);
    const address = (words: AssociationModel['sa']['source']): string =>
      formatBareAddress({ family: sa.family, words, routeDomain }) + (routeDomain === 0 ? '' : `%${routeDomain}`);
    const createdMs = keeper.madeAtMs(name) ?? Date.now();
    const ageSeconds = (Date.now() - createdMs) / 1000;
    const isMirrored = selector?.properties.direction === 'both' && !isOut;
    return {
      spi: sa.spi,
      source: address(sa.source),
      destination: address(sa.destination),
      direction,
      protocol: keys.protocol,
      mode: tunnel !== undefined ? 'interface' : mode === 'tunnel' ? 'tunnel' : 'transport',
      ...this.#state(association, id, isOut, keeper, states),
      worker: 0,
      policyId: planner.policy(policy),
      policy,
      ...(selector && {
        selector: selector.name,
        selectorSource: selector.properties[isMirrored ? 'destination-address' : 'source-address'],
        selectorDestination: selector.properties[isMirrored ? 'source-address' : 'destination-address'],
      }),
      ...(association.isRunTime !== true && { manual: name }),
      authAlgorithm: keys['auth-algorithm'],
      encryptAlgorithm: keys['encrypt-algorithm'],
      packets: count(Column.inFrames) + count(Column.outFrames),
      octets: count(Column.inOctets) + count(Column.outOctets),
      hardLifetime: lifetimeOf(sa.hardLifetime, ageSeconds),
      softLifetime: lifetimeOf(sa.softLifetime, ageSeconds),
      drops: readDrops(worker.counters, row),
      replayWindow: sa.replayWindow,
      extendedSequence: sa.extended,
      ...(sa.udpDestinationPort !== 0 && { udpPorts: [sa.udpSourcePort, sa.udpDestinationPort] as [number, number] }),
      ...(used !== 0 && { lastUseMs: Date.now() - (worker.second - used) * 1000 }),
      createdMs,
    };
  }

  /** Whether the side that sends is ours. */
  #leaves({ sa, routeDomain, isRunTime, sends }: AssociationModel): boolean {
    if (isRunTime === true) return sends;
    const { model } = this.#sources();
    return [...model.selfs.values()].some(
      ({ words, routeDomain: own }) => own === routeDomain && words.every((word, at) => word === sa.source[at]),
    );
  }

  #state(
    { name, sa }: AssociationModel,
    id: number | undefined,
    isOut: boolean,
    keeper: AssociationKeeper,
    states: AssociationStates,
  ): Pick<AssociationRow, 'state' | 'reason'> {
    if (id === undefined) return { state: 'larval' };
    const lifetime = states.read(id, AssociationCell.lifetime);
    if (lifetime === HARD_LIFETIME) return { state: 'dead', reason: ENDED };
    if (isOut && !keeper.canSend(name)) return { state: 'dead', reason: LOST_SEQUENCE };
    if (isOut && !sa.extended && states.read(id, AssociationCell.next) > LAST_SEQUENCE) {
      return { state: 'dead', reason: USED_UP };
    }
    return { state: lifetime === SOFT_LIFETIME ? 'dying' : 'mature' };
  }
}

const lifetimeOf = ({ seconds, octets }: Lifetime, ageSeconds: number): AssociationRow['hardLifetime'] => ({
  ...(seconds !== 0 && { seconds: Math.max(0, Math.round(seconds - ageSeconds)) }),
  ...(octets !== 0 && { octets }),
});

function selectorsByPolicy(selectors: readonly TrafficSelector[]): Map<string, TrafficSelector[]> {
  const byPolicy = new Map<string, TrafficSelector[]>();
  for (const selector of selectors) {
    const policy = selector.properties['ipsec-policy'];
    byPolicy.set(policy, [...(byPolicy.get(policy) ?? []), selector]);
  }
  return byPolicy;
}

/** The first selector by order that is of this direction. */
function selectorFor(selectors: readonly TrafficSelector[], direction: 'in' | 'out'): TrafficSelector | undefined {
  return [...selectors]
    .sort((a, b) => a.properties.order - b.properties.order)
    .find(({ properties }) => properties.direction === 'both' || properties.direction === direction);
}
